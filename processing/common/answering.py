"""Answers requests to a served model, in any image.

The answer to an invalid request has the reason; the answer after a failure of the model has none. Standard
library only.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from types import ModuleType
from typing import Any, Protocol

from common.serving import BadRequest, UnacceptableType, UnsupportedContentType

TEXT = "text/plain; charset=utf-8"
_MISTAKES = {
    BadRequest: HTTPStatus.BAD_REQUEST,
    UnsupportedContentType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    UnacceptableType: HTTPStatus.NOT_ACCEPTABLE,
}


@dataclass(frozen=True)
class Answer:
    """The answer to the caller."""

    status: HTTPStatus
    content_type: str
    body: str


class Context(Protocol):
    """The part of the toolkit's request context that sets the answer's status."""

    def set_response_status(self, code: int, phrase: str) -> None: ...


def answer(
    workload: ModuleType, model: Any, body: str | bytes | bytearray, content_type: str, accept: str
) -> Answer:
    """Answer a request with a workload's inference.py and its model."""
    try:
        data = workload.input_fn(body, content_type)
        predicted, given = workload.output_fn(workload.predict_fn(data, model), accept or "*/*")
    except tuple(_MISTAKES) as mistake:
        status = next(status for kind, status in _MISTAKES.items() if isinstance(mistake, kind))
        return Answer(status, TEXT, str(mistake))
    except Exception:
        traceback.print_exc()
        return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, TEXT, "the model failed; its log says why")
    return Answer(HTTPStatus.OK, given, predicted)


def make_transform_fn(workload: ModuleType) -> Callable[..., tuple[str, str]]:
    """Make the function that the toolkit of AWS's PyTorch image calls instead of the workload's three.

    There, an exception in those would give a 500 with a traceback in its body. Only the context, which a
    function with a fifth parameter gets, can set another status (sagemaker-inference 1.7 and later).
    """

    def transform_fn(
        model: Any, body: str | bytes | bytearray, content_type: str, accept: str, context: Context
    ) -> tuple[str, str]:
        found = answer(workload, model, body, content_type or "", accept)
        context.set_response_status(found.status.value, found.status.phrase)
        return found.body, found.content_type

    return transform_fn
