"""The WSGI application that SageMaker's image serves the model with (`SAGEMAKER_SERVING_MODULE=wsgi:main`).

The image's own script mode would install inference.py with pip when it starts, which needs a network, and
would answer a caller's mistake with a 500 and no reason. The functions are those of the workload's
inference.py, as evaluation calls them. In a bundle this file lies beside an `inference.py` that names the
workload. Standard library only, besides what they need.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from common.answering import TEXT, Answer, answer

inference = importlib.import_module("inference")
# In every worker before its first request: a model that cannot be used ends the container, which is the
# quickest way to say so.
MODEL = inference.model_fn(str(Path(__file__).resolve().parents[1]))


def main(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answers `/ping`, and `/invocations` with predictions or with what is wrong with the request."""
    found = _answer(environ)
    content = found.body.encode()
    headers = [("Content-Type", found.content_type), ("Content-Length", str(len(content)))]
    start_response(f"{found.status.value} {found.status.phrase}", headers)
    return [content]


def _answer(environ: dict[str, Any]) -> Answer:
    if environ["PATH_INFO"] == "/ping":
        return Answer(HTTPStatus.OK, TEXT, "")
    if environ["PATH_INFO"] != "/invocations":
        return Answer(HTTPStatus.NOT_FOUND, TEXT, "there are /ping and /invocations")
    if environ["REQUEST_METHOD"] != "POST":
        return Answer(HTTPStatus.METHOD_NOT_ALLOWED, TEXT, "invocations are sent with POST")
    content_type, accept = environ.get("CONTENT_TYPE", ""), environ.get("HTTP_ACCEPT", "")
    return answer(inference.workload, MODEL, _read_body(environ), content_type, accept)


def _read_body(environ: dict[str, Any]) -> bytes:
    """A body sent in chunks has no length; a server that ends it by itself says so."""
    length = -1 if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length)
    return body
