"""The WSGI application of the built-in XGBoost: CSV without a label in, one prediction for each line out."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.sagemaker.engines.serving.script_mode import CSV
from local.sagemaker.engines.serving.wsgi_client import Application, Start
from local.sagemaker.engines.serving.xgboost_csv import read_csv

if TYPE_CHECKING:
    import xgboost

# In a batch transform, all of them give an answer of the same lines.
ACCEPTED = (CSV, "application/json", "application/jsonlines", "application/x-recordio-protobuf", "*/*", "")


class Refused(Exception):
    """Status and body of a refusal."""

    def __init__(self, status: str, reason: object) -> None:
        super().__init__(str(reason))
        self.status = status


def application() -> Application:
    """Serve the only model in the folder `SM_MODEL_DIR`, which the first request loads."""
    if "SAGEMAKER_INFERENCE_OUTPUT" in os.environ:
        raise NotImplementedError("SAGEMAKER_INFERENCE_OUTPUT is not supported locally")
    loaded: list[xgboost.Booster] = []

    def main(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        if not loaded:
            loaded.append(load_booster(Path(os.environ["SM_MODEL_DIR"])))
        body = b""
        try:
            if environ["PATH_INFO"] == "/invocations":
                body = _answer(loaded[0], environ)
            start_response("200 OK", [("Content-Type", CSV)])
        except Refused as refused:
            traceback.print_exc()
            start_response(refused.status, [("Content-Type", "text/html")])
            body = str(refused).encode()
        return [body]

    return main


def _answer(booster: xgboost.Booster, environ: dict[str, Any]) -> bytes:
    body = environ["wsgi.input"].read()
    if not body.strip():
        return b""
    content_type = environ.get("CONTENT_TYPE", "")
    if content_type.partition(";")[0].strip().lower() not in (CSV, "csv"):
        reason = f"content type {content_type} is not supported locally; give {CSV}"
        raise Refused("415 UNSUPPORTED MEDIA TYPE", reason)
    try:
        data = read_csv(body.decode())
    except Exception as error:
        reason = f"Loading csv data failed with Exception, please ensure data is in csv format:\n {error}"
        raise Refused("415 UNSUPPORTED MEDIA TYPE", reason) from error
    try:
        predictions = booster.predict(data, validate_features=False)
    except Exception as error:
        raise Refused("400 BAD REQUEST", f"Unable to evaluate payload provided: {error}") from error
    if (accept := environ.get("HTTP_ACCEPT", "").partition(";")[0].lower()) not in ACCEPTED:
        raise Refused("406 NOT ACCEPTABLE", f"Accept type {accept} is not supported.")
    return "".join(f"{prediction}\n" for prediction in predictions.tolist()).encode()


def load_booster(model_folder: Path) -> xgboost.Booster:
    """The only model in the folder, under any name that does not begin with a dot.
    (The image takes several for an ensemble.)"""
    import xgboost

    files = [path for path in model_folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    if len(files) != 1:
        names = ", ".join(sorted(path.name for path in files)) or "nothing"
        raise ValueError(f"expected one model at the top of the model archive, found {names}")
    return xgboost.Booster(model_file=files[0])
