"""The PyTorch image's server: behaves like TorchServe with sagemaker_inference 1.10 (public source).

It answers a ping even if the model cannot be loaded; an invocation then finds no worker. An error in a
script's function is a 500 whose body has the message and traceback; only the context can set another status
than 200.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from local.sagemaker.engines import pip
from local.sagemaker.engines.serving import torch_defaults
from local.sagemaker.engines.serving.script_mode import JSON, TEXT_TYPES
from local.sagemaker.engines.serving.wsgi_client import Application, Start

# TorchServe's max_request_size and max_response_size, unless TS_MAX_... says otherwise.
LARGEST_BODY = 6_553_500
_NO_WORKER = (
    'Model "model" has no worker to serve inference request. Please use scale workers API to add workers.'
)
_FUNCTIONS = ("input_fn", "predict_fn", "output_fn")

Answer = tuple[HTTPStatus, str, bytes]
Transform = Callable[[Any, str | None, str], tuple[HTTPStatus, Any]]


@dataclass
class Context:
    """The last argument of a function that takes one more. Successive requests share it."""

    system_properties: dict[str, Any]
    status: HTTPStatus = HTTPStatus.OK

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        """Answer this request with another status; its phrase tells callers of SageMaker nothing."""
        self.status = HTTPStatus(code)


def start(root: Path, *, isolated: bool) -> Application:
    """The server for the model in ``<root>/model``, whose script is in ``code/``. Raises ValueError."""
    model = Path(os.environ.get("SAGEMAKER_BASE_DIR", root)) / "model"
    code = model / "code"
    sys.path.insert(0, str(code))
    if (code / "requirements.txt").exists():
        try:
            pip.install(["-r", "requirements.txt"], code, isolated=isolated)
        except pip.PipFailed:
            hint = "" if isolated else f"\n{pip.NO_NETWORK}"
            raise ValueError(f"failed to install required packages{hint}") from None
    return application(model)


def application(model: Path) -> Application:
    """Serve a model folder. If the model cannot be loaded, the server has no worker."""
    try:
        transform = _load(model)
    except Exception:
        traceback.print_exc()
        print("Load model failed: model, error: Worker died.", file=sys.stderr)
        transform = None

    def main(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        status, content_type, body = _answer(transform, environ)
        start_response(f"{status.value} {status.phrase}", [("Content-Type", content_type)])
        return [body]

    return main


def _answer(transform: Transform | None, environ: dict[str, Any]) -> Answer:
    if environ["PATH_INFO"] == "/ping":
        return HTTPStatus.OK, JSON, b'{\n  "status": "Healthy"\n}\n'
    if environ["PATH_INFO"] != "/invocations":
        return _refusal(
            HTTPStatus.NOT_FOUND,
            "ResourceNotFoundException",
            "Requested resource is not found, please refer to API document.",
        )
    body = environ["wsgi.input"].read()
    if len(body) > _limit("TS_MAX_REQUEST_SIZE"):
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, JSON, b""
    if transform is None:
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailableException", _NO_WORKER)
    answer = _invoke(transform, body, environ)
    if len(answer[2]) > _limit("TS_MAX_RESPONSE_SIZE"):
        return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalServerException", "Worker died.")
    return answer


def _limit(variable: str) -> int:
    return int(os.environ.get(variable, LARGEST_BODY))


def _refusal(status: HTTPStatus, kind: str, message: str) -> Answer:
    content = {"code": status.value, "type": kind, "message": message}
    return status, JSON, (json.dumps(content, indent=2) + "\n").encode()


def _invoke(transform: Transform, body: bytes, environ: dict[str, Any]) -> Answer:
    content_type = environ.get("CONTENT_TYPE") or None
    accept = environ.get("HTTP_ACCEPT", "")
    if accept in ("", "*/*"):
        accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
    try:
        content = body.decode() if content_type in TEXT_TYPES else body
        status, result = transform(content, content_type, accept)
        response, answered = result if isinstance(result, tuple) else (result, accept)
        return status, str(answered), _as_bytes(response)
    except Exception as error:
        traceback.print_exc()
        said = f"{str(error) or 'Invalid Request'}\n{traceback.format_exc()}"
        return HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", said.encode()


def _as_bytes(response: Any) -> bytes:
    """Encode a result as TorchServe does: bytes and text unchanged, anything else as JSON."""
    if isinstance(response, bytes | bytearray):
        return bytes(response)
    return (response if isinstance(response, str) else json.dumps(response)).encode()


def _load(model_folder: Path) -> Transform:
    name = os.environ.get("SAGEMAKER_PROGRAM", "inference.py").removesuffix(".py")
    script = importlib.import_module(name) if importlib.util.find_spec(name) else None
    transform_fn = getattr(script, "transform_fn", None)
    if transform_fn and any(hasattr(script, each) for each in _FUNCTIONS):
        raise ValueError(
            "Cannot use transform_fn implementation in conjunction with "
            "input_fn, predict_fn, and/or output_fn implementation"
        )
    context = Context({"model_dir": str(model_folder), "gpu_id": None})
    model = _call(context, getattr(script, "model_fn", torch_defaults.model_fn), str(model_folder))
    input_fn, predict_fn, output_fn = (
        getattr(script, each, getattr(torch_defaults, each)) for each in _FUNCTIONS
    )

    def in_three_steps(model: Any, content: Any, content_type: str | None, accept: str) -> Any:
        data = _call(context, input_fn, content, content_type)
        return _call(context, output_fn, _call(context, predict_fn, data, model), accept)

    def transform(content: Any, content_type: str | None, accept: str) -> tuple[HTTPStatus, Any]:
        context.status = HTTPStatus.OK
        result = _call(context, transform_fn or in_three_steps, model, content, content_type, accept)
        return context.status, result

    return transform


def _call(context: Context, function: Callable[..., Any], *arguments: Any) -> Any:
    wanted = len(inspect.signature(function).parameters)
    if wanted not in (len(arguments), len(arguments) + 1):
        raise TypeError(f"{function.__name__} takes {wanted} arguments but {len(arguments)} were given.")
    return function(*arguments, *([context] if wanted > len(arguments) else []))
