"""The WSGI application with which SageMaker's image serves the model (`SAGEMAKER_SERVING_MODULE=wsgi:main`).

The image's own script mode would install inference.py with pip at its start, which needs a network, and would
answer an invalid request with a 500 and no reason. This application calls the functions of the workload's
inference.py, as evaluation does. In a bundle it is beside `inference.py`, which names the workload. It needs
only the standard library.
"""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from common.serving import BadRequest, UnacceptableType, UnsupportedContentType

inference = importlib.import_module("inference")
# Loaded in every worker before its first request: an unusable model then ends the container at once.
MODEL = inference.model_fn(str(Path(__file__).resolve().parents[1]))

_TEXT = "text/plain; charset=utf-8"


def main(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer `/ping` and `/invocations`, the latter with predictions or with the request's problem."""
    status, content_type, body = _answer(environ)
    content = body.encode()
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(content)))])
    return [content]


def _answer(environ: dict[str, Any]) -> tuple[str, str, str]:
    if environ["PATH_INFO"] == "/ping":
        return "200 OK", _TEXT, ""
    if environ["PATH_INFO"] != "/invocations":
        return "404 Not Found", _TEXT, "there are /ping and /invocations"
    if environ["REQUEST_METHOD"] != "POST":
        return "405 Method Not Allowed", _TEXT, "invocations are sent with POST"
    try:
        return _predict(environ)
    except UnsupportedContentType as error:
        return "415 Unsupported Media Type", _TEXT, str(error)
    except UnacceptableType as error:
        return "406 Not Acceptable", _TEXT, str(error)
    except BadRequest as error:
        return "400 Bad Request", _TEXT, str(error)
    except Exception:
        traceback.print_exc()
        return "500 Internal Server Error", _TEXT, "the model failed; its log says why"


def _predict(environ: dict[str, Any]) -> tuple[str, str, str]:
    records = inference.input_fn(_read_body(environ), environ.get("CONTENT_TYPE", ""))
    predictions = inference.predict_fn(records, MODEL)
    body, content_type = inference.output_fn(predictions, environ.get("HTTP_ACCEPT") or "*/*")
    return "200 OK", content_type, body


def _read_body(environ: dict[str, Any]) -> bytes:
    """A chunked body has no length; `wsgi.input_terminated` says that the server marks its end."""
    length = -1 if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length)
    return body
