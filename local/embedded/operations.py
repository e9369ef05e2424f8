"""Which AWS operation an HTTP request calls, and how that service reports a failed call.

The three protocols name the operation in different places: a header (JSON), the form (query), or method and
path (REST). For REST, botocore's service models map paths to operations.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, unquote_plus
from xml.sax.saxutils import escape

from local.sagemaker.models import service_model

_SIGNED_FOR = re.compile(r"Credential=[^/]*/\d+/[^/]*/([^/]+)/aws4_request")
# The services that name the operation by method and path, with botocore's names for them. SageMaker does so
# only in the calls that have no target.
_REST = {"s3": "s3", "lambda": "lambda", "sagemaker": "sagemaker-runtime"}
# The HTTP status of these codes; any other code has 400.
_STATUSES = {
    "InternalError": 500,
    "InternalFailure": 500,
    "InternalServerError": 500,
    "ServiceException": 500,
    "ServiceUnavailable": 503,
    "ServiceUnavailableException": 503,
    "SlowDown": 503,
    "TooManyRequestsException": 429,
}

Response = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Request:
    """A request to AWS. The names of its headers are in lower case; `path` is unquoted."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def service(self) -> str:
        """The service in the signature, such as `states`; empty for an unsigned request."""
        found = _SIGNED_FOR.search(self.headers.get("authorization", ""))
        return found[1] if found else ""

    @property
    def operation(self) -> str:
        """The operation, such as `sagemaker:CreateTransformJob`; empty if there is none."""
        if target := self.headers.get("x-amz-target"):
            name = target.rpartition(".")[2]
        elif self.service in _REST:
            name = _rest_operation(self)
        else:
            name = parse_qs(self.body.decode(errors="replace")).get("Action", [""])[0]
        return f"{self.service}:{name}" if self.service and name else ""

    @property
    def text(self) -> str:
        """The call's content as plain text: path, query and, except for S3's data, the body."""
        source = unquote(self.headers.get("x-amz-copy-source", ""))
        if self.service == "s3":
            return " ".join(filter(None, [self.path, unquote_plus(self.query), source]))
        body = self.body.decode(errors="replace")
        is_form = "x-amz-target" not in self.headers and self.service not in _REST
        return f"{self.path} {unquote_plus(body) if is_form else body}"


def failure(request: Request, code: str, message: str, status: int | None = None) -> Response:
    """The response with which the request's service reports an error to its clients."""
    status = status or _STATUSES.get(code, 400)
    if "x-amz-target" in request.headers:
        content_type = request.headers.get("content-type", "application/x-amz-json-1.1")
        return status, {"content-type": content_type}, _json({"__type": code, "message": message})
    if request.service == "sagemaker":
        headers = {"content-type": "application/json", "x-amzn-errortype": code}
        return status, headers, _json({"Code": code, "Message": message})
    if request.service == "lambda":
        headers = {"content-type": "application/json", "x-amzn-errortype": code}
        return status, headers, _json({"Type": "User" if status < 500 else "Service", "message": message})
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if request.service == "s3":
        body = "" if request.method == "HEAD" else f"<Error>{error}<RequestId>fault</RequestId></Error>"
    else:
        kind = "Sender" if status < 500 else "Receiver"
        error = f"<Error><Type>{kind}</Type>{error}</Error>"
        body = f"<ErrorResponse>{error}<RequestId>fault</RequestId></ErrorResponse>"
    return status, {"content-type": "text/xml"}, body.encode()


def _json(content: Mapping[str, str]) -> bytes:
    return json.dumps(content).encode()


@dataclass(frozen=True)
class _RestOperation:
    name: str
    method: str
    path: "re.Pattern[str]"
    query: frozenset[str]
    headers: frozenset[str]


def _rest_operation(request: Request) -> str:
    given = set(parse_qs(request.query, keep_blank_values=True))
    fitting = [
        operation
        for operation in _rest_operations(request.service)
        if operation.method == request.method
        and operation.path.fullmatch(request.path)
        and operation.query <= given
        and operation.headers <= set(request.headers)
    ]
    # CopyObject is a PutObject with an additional header.
    best = max(fitting, key=lambda operation: len(operation.query | operation.headers), default=None)
    return best.name if best else ""


@cache
def _rest_operations(service: str) -> list[_RestOperation]:
    model = service_model(_REST[service])
    return [_read_operation(model.operation_model(name)) for name in model.operation_names]


def _read_operation(model: Any) -> _RestOperation:
    path, _, query = model.http["requestUri"].partition("?")
    # A client of S3 takes the bucket out of the path, and leaves the whole one here.
    path = model.http.get("authPath", path).rstrip("/") or "/"
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path).replace(r"\+\}", r"+\}"))
    pattern = re.sub(r"\\\{\w+\+\\\}", ".+", pattern)
    needed = _needed(model.input_shape)
    return _RestOperation(
        name=model.name,
        method=model.http["method"],
        path=re.compile(f"{pattern}/?", re.DOTALL),
        query=frozenset(parse_qs(query, keep_blank_values=True)) | needed["querystring"],
        headers=frozenset(name.lower() for name in needed["header"]),
    )


def _needed(shape: Any) -> dict[str, frozenset[str]]:
    """The names of the required query parameters and headers of a request."""
    members = [shape.members[name].serialization for name in shape.required_members] if shape else []
    return {
        place: frozenset(member["name"] for member in members if member.get("location") == place)
        for place in ("querystring", "header")
    }
