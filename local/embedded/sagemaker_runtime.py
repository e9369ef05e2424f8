"""The REST calls under SageMaker's signing name, besides its JSON API, each with its own path."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

_INVOCATIONS = re.compile(r"/endpoints/([^/]+)/(invocations|async-invocations|invocations-response-stream)")
_ACTIONS = {
    "invocations": "InvokeEndpoint",
    "async-invocations": "InvokeEndpointAsync",
    "invocations-response-stream": "InvokeEndpointWithResponseStream",
}


Response = tuple[int, dict[str, str], bytes]


def answer_rest(
    method: str,
    path: str,
    resource_of: Callable[[str, Mapping[str, Any]], str],
    refusal: Callable[[str, str], str | None],
) -> Response:
    """There are no endpoints here, so the answer is AWS's for an unknown endpoint.

    `resource_of` names the resource of an action and its request; `refusal` says why the caller may not
    perform an action on a resource.
    """
    found = _INVOCATIONS.fullmatch(path)
    if not found:
        return _error(
            404, "UnknownOperationException", f"{method} {path} is not served by the local SageMaker."
        )
    name, action = unquote(found[1]), _ACTIONS[found[2]]
    resource = resource_of(action, {"EndpointName": name})
    if reason := refusal(f"sagemaker:{action}", resource):
        return _error(403, "AccessDeniedException", reason)
    account = resource.split(":")[4]
    return _error(400, "ValidationError", f"Endpoint {name} of account {account} not found.")


def _error(status: int, code: str, message: str) -> Response:
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code}
    return status, headers, json.dumps({"Code": code, "Message": message}).encode()
