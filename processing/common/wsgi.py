"""The WSGI application with which SageMaker's image serves the model (`SAGEMAKER_SERVING_MODULE=wsgi:main`).

The image's own script mode would install inference.py with pip at its start, which needs a network, and would
answer an invalid request with a 500 and no reason. This application calls the functions of the workload's
inference.py, as evaluation does. In a bundle it is beside an `inference.py` that names the workload. It needs
only the standard library.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from common.answering import TEXT, Answer, answer

inference = importlib.import_module("inference")
# Loaded in every worker before its first request: an unusable model then ends the container at once.
MODEL = inference.model_fn(str(Path(__file__).resolve().parents[1]))


def main(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer `/ping` and `/invocations`, the latter with predictions or with the request's problem."""
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
    """A chunked body has no length; `wsgi.input_terminated` says that the server marks its end."""
    length = -1 if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length)
    return body
