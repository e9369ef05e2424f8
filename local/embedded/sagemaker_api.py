"""SageMaker's JSON protocol in front of the local SageMaker."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from local.sagemaker import ServiceError

logger = logging.getLogger(__name__)

Response = tuple[int, dict[str, str], bytes]
Handler = Callable[[str, str, Mapping[str, str], bytes, Mapping[str, Any]], Awaitable[Response]]


class Service(Protocol):
    """The part of the local SageMaker that answers requests."""

    def call(self, action: str, request: dict[str, Any]) -> dict[str, Any]: ...


def sagemaker_handler(service: Service) -> Handler:
    """An HTTP handler (method, path, headers, body, query) -> (status, headers, body)."""

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]
    ) -> Response:
        action = headers.get("x-amz-target", "").removeprefix("SageMaker.")
        # Off the event loop: a call may itself read from the S3 that this loop serves.
        return await asyncio.to_thread(_answer, service, action, body)

    return handle


def _answer(service: Service, action: str, body: bytes) -> Response:
    try:
        return 200, _headers(), json.dumps(service.call(action, json.loads(body or b"{}"))).encode()
    except ServiceError as error:
        return error.status, _headers(), _error(error.code, error.message)
    except Exception:
        logger.exception("SageMaker %s failed", action)
        return (
            500,
            _headers(),
            _error("InternalFailure", f"{action} failed inside the local SageMaker; see its log."),
        )


def _headers() -> dict[str, str]:
    # A new one each time: the emulator adds the response's own length to it.
    return {"Content-Type": "application/x-amz-json-1.1"}


def _error(code: str, message: str) -> bytes:
    return json.dumps({"__type": code, "message": message}).encode()
