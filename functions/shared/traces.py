"""X-Ray traces without the texts of exceptions, which can repeat a task token or an address."""

from collections.abc import Iterator
from typing import Any

from aws_lambda_powertools import Tracer
from aws_xray_sdk.core.emitters.udp_emitter import UDPEmitter


class TextlessEmitter(UDPEmitter):  # type: ignore[misc] # the SDK has no types
    """Sends traces to the X-Ray daemon, with an exception's type and lines of code, but without its text.

    The SDK records every exception that leaves a subsegment or a patched call, regardless of Powertools'
    settings.
    """

    def send_entity(self, entity: Any) -> None:
        for thrown in _thrown(entity):
            thrown.message = ""
        super().send_entity(entity)


def new_tracer() -> Tracer:
    """Traces calls of AWS, but not HTTP itself, of which the SDK would record the addresses."""
    tracer = Tracer(patch_modules=["botocore"])
    provider: Any = tracer.provider
    provider.emitter = TextlessEmitter()
    return tracer


def _thrown(entity: Any) -> Iterator[Any]:
    if isinstance(entity.cause, dict):  # otherwise it is the id of an exception in another entity
        yield from entity.cause.get("exceptions", [])
    for part in entity.subsegments:
        yield from _thrown(part)
