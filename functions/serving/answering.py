"""What a caller sends, and what it gets.

Request:  {"content_type": "text/csv", "accept": "text/csv", "body": "...", "encoding": "base64"}
Answer:   {"status": 200, "content_type": "text/csv", "body": "..."}
Mistake:  {"status": 400, "error": "line 2: ..."}

Only `content_type` and `body` are required. `encoding` is for bodies that are no text, such as pictures. The
statuses are those of an endpoint in SageMaker (docs/pipeline.md, "How the model is served"). A failure of the
model itself is an error of the function, which its metrics and alarms count.
"""

import base64
import binascii
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from common.serving import BadRequest, UnacceptableType, UnsupportedContentType
from serving.model import ServedModel

_MISTAKES: Mapping[type[Exception], HTTPStatus] = {
    BadRequest: HTTPStatus.BAD_REQUEST,
    UnsupportedContentType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    UnacceptableType: HTTPStatus.NOT_ACCEPTABLE,
}
_FIELDS = ("content_type", "accept", "body", "encoding")
_EXAMPLE = '{"content_type": "text/csv", "accept": "text/csv", "body": "..."}'


def answer(model: ServedModel, request: object) -> dict[str, Any]:
    """The answer to a request, or the status and the reason why it cannot be answered."""
    try:
        body, content_type, accept = _read(request)
        text, kind = model.answer(body, content_type, accept)
    except tuple(_MISTAKES) as mistake:
        status = next(status for kind, status in _MISTAKES.items() if isinstance(mistake, kind))
        return {"status": status.value, "error": str(mistake)}
    return {"status": HTTPStatus.OK.value, "content_type": kind, "body": text}


def _read(request: object) -> tuple[bytes, str, str]:
    if not isinstance(request, Mapping):
        raise BadRequest(f"the payload is no JSON object; send {_EXAMPLE}")
    if unknown := sorted(map(str, request.keys() - set(_FIELDS))):
        raise BadRequest(f'the payload has the unknown field "{unknown[0]}"; send {_EXAMPLE}')
    for field in _FIELDS:
        if not isinstance(request.get(field, ""), str):
            raise BadRequest(f"{field} is no string; send {_EXAMPLE}")
    for field in ("content_type", "body"):
        if field not in request:
            raise BadRequest(f"{field} is missing; send {_EXAMPLE}")
    return _body(request), request["content_type"], request.get("accept") or "*/*"


def _body(request: Mapping[str, str]) -> bytes:
    encoding = request.get("encoding", "")
    if not encoding:
        return request["body"].encode("utf-8", errors="surrogatepass")
    if encoding != "base64":
        raise BadRequest(f'encoding is "{encoding[:20]}"; leave it out, or send base64')
    try:
        return base64.b64decode(request["body"], validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest("body is not encoded in base64, as encoding says") from None
