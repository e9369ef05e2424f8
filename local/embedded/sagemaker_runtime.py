"""The REST calls under SageMaker's signing name, besides its JSON API, each with its own path.

They do not pass through the emulator, which would take longer than a model.
"""

import asyncio
import json
import logging
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol
from urllib.parse import unquote

from local.embedded.asgi import Application, answer, read_body
from local.sagemaker import Answer, Invocation, ServiceError

logger = logging.getLogger(__name__)

_SIGNED_FOR_SAGEMAKER = re.compile(r"Credential=[^,]*/sagemaker/aws4_request")
_INVOCATIONS = re.compile(r"/endpoints/([^/]+)/(invocations|async-invocations|invocations-response-stream)")
_ACTIONS = {
    "invocations": "InvokeEndpoint",
    "async-invocations": "InvokeEndpointAsync",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
}
# Headers of a request that reach the container, and those of its answer that reach the caller.
_CUSTOM = "X-Amzn-SageMaker-Custom-Attributes"
_TO_CONTAINER = ("Content-Type", "Accept", _CUSTOM)
# Members of InvokeEndpoint that have no effect here.
_REFUSED = (
    *("Target-Model", "Target-Container-Hostname", "Enable-Explanations", "Inference-Component"),
    *("Session-Id", "Prefix-Aware-Id"),
)
# Each request that waits for a container occupies a thread.
_THREADS = 256

Response = tuple[int, dict[str, str], bytes]


class Endpoints(Protocol):
    """The part of the local SageMaker that answers invocations."""

    def invoke(self, endpoint_name: str, invocation: Invocation) -> tuple[Answer, str]: ...

    def refuse_missing_endpoint(self, endpoint_name: str) -> None: ...


class Runtime:
    """Answers the REST calls."""

    def __init__(
        self,
        endpoints: Endpoints,
        resource_of: Callable[[str, Mapping[str, Any]], str],
        refusal: Callable[[Mapping[str, str], str, str], str | None],
    ) -> None:
        self._endpoints = endpoints
        # The resource of an action and its request.
        self._resource_of = resource_of
        # Why the caller with these headers may not perform an action on a resource.
        self._refusal = refusal
        self._threads = ThreadPoolExecutor(_THREADS, "invocations")

    async def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """The response to a call, whose signature was verified."""
        found = _INVOCATIONS.fullmatch(path)
        if not found or method != "POST":
            unknown = f"{method} {path} is not served by the local SageMaker."
            return _error(ServiceError("UnknownOperationException", unknown, 404))
        name, action = unquote(found[1]), _ACTIONS[found[2]]
        resource = self._resource_of(action, {"EndpointName": name})
        if reason := self._refusal(headers, f"sagemaker:{action}", resource):
            return _error(ServiceError("AccessDeniedException", reason, 403))
        try:
            self._endpoints.refuse_missing_endpoint(name)
            if action != "InvokeEndpoint":
                unsupported = f"{action} is not supported by the local SageMaker."
                raise ServiceError("ValidationError", unsupported)
            invocation = _invocation(headers, body)
        except ServiceError as error:
            return _error(error)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, partial(self._invoke, name, invocation))

    def _invoke(self, name: str, invocation: Invocation) -> Response:
        try:
            answer, variant = self._endpoints.invoke(name, invocation)
        except ServiceError as error:
            return _error(error)
        except Exception:
            logger.exception("InvokeEndpoint %s failed", name)
            reason = "InvokeEndpoint failed inside the local SageMaker; see its log."
            return _error(ServiceError("InternalFailure", reason, 500))
        given = {header.lower(): value for header, value in answer.headers.items()}
        passed = ("Content-Type", _CUSTOM)
        kept = {header: given[header.lower()] for header in passed if header.lower() in given}
        return 200, {**kept, "x-Amzn-Invoked-Production-Variant": variant}, answer.body


def with_runtime(aws: Application, runtime: Runtime) -> Application:
    """`aws`, and the REST calls that are signed for SageMaker."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        headers = _headers(scope) if scope["type"] == "http" and scope["path"] != "/" else {}
        if _SIGNED_FOR_SAGEMAKER.search(headers.get("authorization", "")):
            body = await read_body(receive)
            await answer(send, *await runtime.answer(scope["method"], scope["path"], headers, body))
        else:
            await aws(scope, receive, send)

    return application


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _invocation(headers: Mapping[str, str], body: bytes) -> Invocation:
    def given(header: str) -> str | None:
        return headers.get(f"x-amzn-sagemaker-{header}".lower())

    for header in _REFUSED:
        if given(header) is not None:
            member = header.replace("-", "")
            raise ServiceError("ValidationError", f"{member} is not supported by the local SageMaker.")
    passed = {header: headers[header.lower()] for header in _TO_CONTAINER if header.lower() in headers}
    return Invocation(
        body=body,
        headers=passed,
        target_variant=given("Target-Variant"),
        inference_id=given("Inference-Id"),
        custom_attributes=given("Custom-Attributes"),
    )


def _error(error: ServiceError) -> Response:
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": error.code}
    content = {"Code": error.code, "Message": error.message, **error.details}
    return error.status, headers, json.dumps(content).encode()
