"""An endpoint that exists: where its traffic goes, and how it answers."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.sagemaker.endpoints.capture import Captures
from local.sagemaker.endpoints.fleet import Fleet
from local.sagemaker.endpoints.measures import Measure, Measures
from local.sagemaker.endpoints.variant import Answer, Variant
from local.sagemaker.errors import ServiceError
from local.sagemaker.kinds import Json
from local.sagemaker.store import Record

LARGEST_BODY, LARGEST_SERVERLESS_BODY = 6 << 20, 4 << 20
# An answer in an error message is cut.
_LONGEST_MESSAGE = 2048


@dataclass(frozen=True)
class Invocation:
    """A request of InvokeEndpoint; `headers` go to the container."""

    body: bytes
    headers: Mapping[str, str]
    target_variant: str | None = None
    inference_id: str | None = None
    custom_attributes: str | None = None


@dataclass
class Live:
    """Its traffic: fleets, each with its share. Without any, it does not answer."""

    record: Record
    account_id: str
    region: str
    measures: Measures
    captures: Captures
    traffic: tuple[tuple[Fleet, float], ...] = field(default=())

    def invoke(self, call: Invocation) -> tuple[Answer, str]:
        """The container's answer, and the variant that it came from. Raises `ServiceError`."""
        began = time.monotonic()
        fleet, variant = self._choose(call.target_variant)
        limit = LARGEST_SERVERLESS_BODY if variant.hosted.serverless else LARGEST_BODY
        if len(call.body) > limit:
            raise ServiceError("413", f"HTTP content length exceeded {limit} bytes.", 413)
        answer = variant.ask(call.headers, call.body)
        whole = time.monotonic() - began
        self.measures.add(
            Measure(
                endpoint=self.record.name,
                variant=variant.name,
                status=answer.status,
                model_seconds=answer.seconds,
                overhead_seconds=whole - answer.seconds,
                setup_seconds=answer.setup_seconds if variant.hosted.serverless else None,
            )
        )
        if not 200 <= answer.status < 300:
            raise self._model_error(answer)
        if capture := fleet.config.get("DataCaptureConfig"):
            self.captures.take(capture, self.record.name, variant.hosted, call, answer)
        return answer, variant.name

    def _choose(self, name: str | None) -> tuple[Fleet, Variant]:
        traffic = self.traffic
        if not traffic:
            raise not_found(self.record.name, self.account_id)
        fleet = traffic[0][0]
        if len(traffic) > 1:
            fleet = random.choices([each for each, _ in traffic], [share for _, share in traffic])[0]  # noqa: S311 - no secret
        variant = fleet.choose(name)
        if variant is None:
            raise ServiceError("ValidationError", f"Variant {name} not found for Request")
        return fleet, variant

    def _model_error(self, answer: Answer) -> ServiceError:
        group = f"/aws/sagemaker/Endpoints/{self.record.name}"
        whose = "client" if 400 <= answer.status < 500 else "server"
        said = answer.body[:_LONGEST_MESSAGE].decode(errors="replace")
        message = (
            f'Received {whose} error ({answer.status}) from primary with message "{said}". '
            f"See https://{self.region}.console.aws.amazon.com/cloudwatch/home?region={self.region}"
            f"#logEventViewer:group={group} in account {self.account_id} for more information."
        )
        details: Json = {
            "ErrorCode": f"{whose.upper()}_ERROR_FROM_MODEL",
            "OriginalStatusCode": answer.status,
            "OriginalMessage": said,
            "LogStreamArn": f"arn:aws:logs:{self.region}:{self.account_id}:log-group:{group}",
        }
        return ServiceError("ModelError", message, 424, details)


def not_found(name: str, account_id: str) -> ServiceError:
    """AWS's answer for an endpoint that does not exist, or is not in service yet."""
    return ServiceError("ValidationError", f"Endpoint {name} of account {account_id} not found.")
