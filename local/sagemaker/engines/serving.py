"""Serves a model folder for one batch transform: ``("-m", "local.sagemaker.engines.serving", "<root>",
"<requests>", "<responses>", "<content type>", "<accept>")``; the last two may be empty.

``<root>`` stands for /opt/ml: the model archive is unpacked in ``<root>/model``. Each file of the folder
``<requests>`` is the body of one request; they are served in the order of their names, and the body of each
response is written, whole or not at all, to the file of the same name in ``<responses>`` (made if it is
missing). The process reads the folder once, at its start, and ends with code 0.

With ``SAGEMAKER_PROGRAM`` in the environment the model is served by that script, out of
``SAGEMAKER_SUBMIT_DIRECTORY`` or ``<root>/model/code``, as the XGBoost image does it (``scripted``); without
it by the built-in algorithm (``built_in``).

A failure ends the process with code 1, after a traceback on stderr. ``<root>/output/failure`` then holds one
line, ``request <name>: <exception>: <message>`` (or ``loading the model: ...``), and the responses written
before it stay.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import xgboost

from local.sagemaker.engines.warm.hiding import hide

Serve = Callable[[bytes], bytes]

JSON, CSV, NPY = "application/json", "text/csv", "application/x-npy"
# Bodies of exactly these types reach a script as text, all others as bytes (sagemaker-containers,
# ``_worker.Request``).
TEXT_TYPES = (JSON, CSV)


class UnsupportedTypeError(ValueError):
    """A content type or accept type that nobody here reads or writes."""


def main(root: Path, requests: Path, responses: Path, content_type: str, accept: str) -> int:
    """Serve every request; the exit code."""
    place = "loading the model"
    try:
        responses.mkdir(parents=True, exist_ok=True)
        serve = load(root, content_type, accept)
        for request in sorted(path for path in requests.iterdir() if path.is_file()):
            place = f"request {request.name}"
            write_whole(responses / request.name, serve(request.read_bytes()))
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        message = " ".join(str(error).split())
        (root / "output").mkdir(parents=True, exist_ok=True)
        (root / "output/failure").write_text(f"{place}: {type(error).__name__}: {message}")
        return 1
    return 0


def write_whole(path: Path, body: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(body)
    unfinished.replace(path)


def load(root: Path, content_type: str, accept: str) -> Serve:
    if program := os.environ.get("SAGEMAKER_PROGRAM"):
        folder = Path(os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY") or root / "model/code")
        default_accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
        script = import_script(folder, program)
        return scripted(script, root / "model", content_type or JSON, accept or default_accept)
    return built_in(root / "model", content_type or JSON, accept or CSV)


def import_script(folder: Path, program: str) -> ModuleType:
    """The user's script, imported as the image does it: its folder comes first in the path."""
    path = folder / program
    name = program.removesuffix(".py")
    spec = importlib.util.spec_from_file_location(name, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise FileNotFoundError(f"SAGEMAKER_PROGRAM is {program}, and there is no such script in {folder}")
    sys.path.insert(0, str(folder))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def scripted(script: ModuleType, model_folder: Path, content_type: str, accept: str) -> Serve:
    """Serve by the functions of a script, with the image's own where the script has none."""
    model_fn, transform_fn = getattr(script, "model_fn", None), getattr(script, "transform_fn", None)
    input_fn, predict_fn, output_fn = (
        getattr(script, name, None) for name in ("input_fn", "predict_fn", "output_fn")
    )
    if model_fn is None:
        raise NotImplementedError(f"Please provide a model_fn implementation in {script.__name__}.py")
    if transform_fn and (input_fn or predict_fn or output_fn):
        raise ValueError("Cannot use transform_fn implementation with input_fn, predict_fn, and/or output_fn")
    model = model_fn(str(model_folder))

    def serve(body: bytes) -> bytes:
        content = body.decode() if content_type in TEXT_TYPES else body
        if transform_fn:
            return body_of(transform_fn(model, content, content_type, accept), "transform_fn")
        data = (input_fn or default_input_fn)(content, content_type)
        prediction = (predict_fn or default_predict_fn)(data, model)
        return body_of((output_fn or encode)(prediction, accept), "output_fn")

    return serve


def body_of(result: Any, function: str) -> bytes:
    """A response's body: a script returns it alone or with its type."""
    body = result[0] if isinstance(result, tuple) and result else result
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    raise TypeError(f"{function} returned {type(body).__name__}; expected str or bytes")


def default_input_fn(content: str | bytes, content_type: str) -> xgboost.DMatrix:
    if content_type.partition(";")[0].strip() != CSV:
        raise UnsupportedTypeError(
            f"content type {content_type} is not supported; give {CSV}, or an input_fn"
        )
    return read_csv(content.decode() if isinstance(content, bytes) else content)


def default_predict_fn(data: Any, model: Any) -> Any:
    return model.predict(data, validate_features=False)


def encode(prediction: Any, accept: str) -> bytes:
    """An array as the type that is accepted: CSV with a row a line, JSON, or npy."""
    array = np.asarray(prediction)
    if accept == CSV:
        rows = array.reshape(len(array), -1).tolist()
        return "".join(",".join(map(str, row)) + "\n" for row in rows).encode()
    if accept == JSON:
        return json.dumps(array.tolist()).encode()
    if accept == NPY:
        stream = io.BytesIO()
        np.save(stream, array)
        return stream.getvalue()
    raise UnsupportedTypeError(
        f"accept type {accept} is not supported; give {CSV}, {JSON} or {NPY}, or an output_fn"
    )


def built_in(model_folder: Path, content_type: str, accept: str) -> Serve:
    """Serve by the built-in algorithm: CSV without a label in, one prediction a line out."""
    if "SAGEMAKER_INFERENCE_OUTPUT" in os.environ:
        raise NotImplementedError("SAGEMAKER_INFERENCE_OUTPUT is not supported locally")
    if content_type.partition(";")[0].strip().lower() not in (CSV, "csv"):
        raise UnsupportedTypeError(f"content type {content_type} is not supported locally; give {CSV}")
    if accept not in (CSV, "*/*"):
        raise UnsupportedTypeError(f"accept type {accept} is not supported locally; give {CSV}")
    booster = load_booster(model_folder)

    def serve(body: bytes) -> bytes:
        if not body.strip():
            return b""
        predictions = booster.predict(read_csv(body.decode()), validate_features=False)
        return "".join(f"{prediction}\n" for prediction in predictions.tolist()).encode()

    return serve


def load_booster(model_folder: Path) -> xgboost.Booster:
    """The one model at the top of the folder, whatever its name; names that begin with a dot do not count.
    (The image takes several for an ensemble.)"""
    files = [path for path in model_folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    if len(files) != 1:
        names = ", ".join(sorted(path.name for path in files)) or "nothing"
        raise ValueError(f"expected one model at the top of the model archive, found {names}")
    return xgboost.Booster(model_file=files[0])


def read_csv(text: str) -> xgboost.DMatrix:
    """CSV without a header or a label; an empty field is a missing value. The delimiter is guessed from the
    first line, as in the image."""
    lines = text.strip().split("\n")
    guessed = csv.Sniffer().sniff(lines[0][:512]).delimiter
    delimiter = "," if guessed.isalnum() else guessed
    rows = [[field.strip() or "nan" for field in line.split(delimiter)] for line in lines]
    return xgboost.DMatrix(np.array(rows).astype(float))


if __name__ == "__main__":
    hide(["local"])
    folders = [Path(argument) for argument in sys.argv[1:4]]
    sys.exit(main(folders[0], folders[1], folders[2], content_type=sys.argv[4], accept=sys.argv[5]))
