"""The WSGI application of the images' script mode: serves a user's `model_fn` and its companions over HTTP.

Every error in them is a 500 without a reason: the images wrap each function's errors, including those of the
default functions (sagemaker_containers 2.8.6, ``_transformer``).
"""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from local.sagemaker.engines.serving.wsgi_client import Application, Start

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
# A script gets bodies of exactly these types as text, and all others as bytes.
TEXT_TYPES = (JSON, CSV)

Transform = Callable[[Any, str, str], bytes]


class UnsupportedTypeError(ValueError):
    """A content type or accept type that the image does not support."""


@dataclass(frozen=True)
class Defaults:
    """An image's functions for a script that lacks `input_fn` or `predict_fn`."""

    input_fn: Callable[[Any, str], Any]
    predict_fn: Callable[[Any, Any], Any]


def application(program: str | None, model_folder: Path, defaults: Defaults) -> Application:
    """Serve the module `program`. As in the images, the first request, the ping, loads the model, and the
    next one tries again if that failed."""
    loaded: list[Transform] = []

    def main(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        if not loaded:
            loaded.append(_load(program, model_folder, defaults))
        if environ["PATH_INFO"] == "/ping":
            start_response("200 OK", [("Content-Type", JSON)])
            return [b""]
        if environ["PATH_INFO"] != "/invocations":
            start_response("404 NOT FOUND", [("Content-Type", "text/html")])
            return [b"Not Found"]
        return _invoke(loaded[0], environ, start_response)

    return main


def _load(program: str | None, model_folder: Path, defaults: Defaults) -> Transform:
    script = importlib.import_module(program or "")
    model_fn, transform_fn = getattr(script, "model_fn", None), getattr(script, "transform_fn", None)
    input_fn, predict_fn, output_fn = (
        getattr(script, name, None) for name in ("input_fn", "predict_fn", "output_fn")
    )
    if transform_fn and (input_fn or predict_fn or output_fn):
        raise ValueError("Cannot use transform_fn implementation with input_fn, predict_fn, and/or output_fn")
    if model_fn is None:
        raise NotImplementedError(f"Please provide a model_fn implementation in {script.__name__}.py")
    model = model_fn(str(model_folder))

    def transform(content: Any, content_type: str, accept: str) -> bytes:
        if transform_fn:
            return _body_of(transform_fn(model, content, content_type, accept), "transform_fn")
        data = (input_fn or defaults.input_fn)(content, content_type)
        prediction = (predict_fn or defaults.predict_fn)(data, model)
        return _body_of((output_fn or encode)(prediction, accept), "output_fn")

    return transform


def _invoke(transform: Transform, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    content_type = environ.get("CONTENT_TYPE") or JSON
    accept = environ.get("HTTP_ACCEPT", "")
    if accept in ("", "*/*"):
        accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
    body = environ["wsgi.input"].read()
    try:
        answer = transform(body.decode() if content_type in TEXT_TYPES else body, content_type, accept)
    except Exception:
        traceback.print_exc()
        start_response("500 INTERNAL SERVER ERROR", [("Content-Type", "text/html")])
        return [b"Internal Server Error"]
    start_response("200 OK", [("Content-Type", accept)])
    return [answer]


def _body_of(result: Any, function: str) -> bytes:
    """The body of a response, which a script returns alone or with its type."""
    body = result[0] if isinstance(result, tuple) and result else result
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    raise TypeError(f"{function} returned {type(body).__name__}; expected str or bytes")


def encode(prediction: Any, accept: str) -> bytes:
    """Encode an array in the accepted type: CSV, JSON or npy."""
    array = np.asarray(prediction)
    if accept == CSV:
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n").writerows(array.reshape(len(array), -1))
        return lines.getvalue().encode()
    if accept == JSON:
        return json.dumps(array.tolist()).encode()
    if accept == NPY:
        stream = io.BytesIO()
        np.save(stream, array)
        return stream.getvalue()
    raise UnsupportedTypeError(
        f"accept type {accept} is not supported; give {CSV}, {JSON} or {NPY}, or an output_fn"
    )


def _read_numbers(content: str | bytes, content_type: str) -> Any:
    """Read numbers as the scikit-learn image does. It also turns a single row of CSV into a flat array, which
    most models refuse."""
    if content_type == NPY:
        return np.load(io.BytesIO(content if isinstance(content, bytes) else content.encode()))
    if content_type == JSON:
        return np.array(json.loads(content)).astype(np.float32)
    if content_type == CSV:
        return np.array(list(csv.reader(io.StringIO(str(content)), strict=True))).squeeze().astype(np.float32)
    raise UnsupportedTypeError(
        f"content type {content_type} is not supported; give {CSV}, {JSON} or {NPY}, or an input_fn"
    )


SCIKIT_LEARN = Defaults(_read_numbers, lambda data, model: model.predict(data))
