"""The model's interface: raw rows of cars in, one prediction for each row out.

`common/wsgi.py` serves it in the SageMaker XGBoost image. Evaluation predicts with it as well, so that
training and serving cannot drift apart.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np
import xgboost
from numpy.typing import NDArray

from auto_mpg.car import CONTENT, RAW_COLUMNS, BadCar, Car, read_car
from auto_mpg.features import FEATURES, BadPreprocessor, Preprocessor, from_json
from common.serving import (
    BadRequest,
    UnacceptableType,
    UnsupportedContentType,
    UnusableModel,
    accepted,
    media_type,
    refuse_changed_files,
)

BOOSTER = "xgboost-model"
PREPROCESSOR = "preprocessor.json"
XGBOOST_VERSION = "xgboost-version"
MODEL_FILES = (BOOSTER, PREPROCESSOR, XGBOOST_VERSION)

_CONTENT = attrgetter(*CONTENT)


@dataclass(frozen=True)
class Model:
    preprocessor: Preprocessor
    booster: xgboost.Booster


def model_fn(model_dir: str) -> Model:
    """Load the unpacked bundle. Raises UnusableModel, also if it is not the one that was evaluated."""
    folder = Path(model_dir)
    refuse_changed_files(folder, MODEL_FILES)
    _refuse_other_version(folder)
    model = Model(_load_preprocessor(folder / PREPROCESSOR), _load_booster(folder / BOOSTER))
    if model.booster.num_features() != len(FEATURES):
        raise UnusableModel(
            f"the booster was trained on {model.booster.num_features()} features, not {len(FEATURES)}"
        )
    return model


def input_fn(body: str | bytes, content_type: str) -> list[Car]:
    """Parse CSV without a header: one car a line, RAW_COLUMNS in their order; `car_name` may be left out.

    Raises BadRequest or UnsupportedContentType. An empty line is an error, because a batch transform joins
    predictions to input lines by position.
    """
    if media_type(content_type) != "text/csv":
        raise UnsupportedContentType(f"content type {content_type} is not supported; send text/csv")
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
    except UnicodeDecodeError:
        raise BadRequest("the body is not encoded in UTF-8") from None
    lines = text.removeprefix("\ufeff").removesuffix("\n").removesuffix("\r").split("\n")
    return [_read_record(line.removesuffix("\r"), number) for number, line in enumerate(lines, start=1)]


def predict_fn(cars: Sequence[Car], model: Model) -> NDArray[np.float32]:
    """Miles per gallon of each car, in the same order."""
    contents = np.array([_CONTENT(car) for car in cars], dtype=np.float64)
    rows = model.preprocessor.features(contents).astype(np.float32)
    # One thread: the server runs a worker on each core, and OpenMP's threads do not survive a fork.
    predictions: NDArray[np.float32] = model.booster.predict(
        xgboost.DMatrix(rows, nthread=1), validate_features=False
    )
    return predictions


def output_fn(predictions: NDArray[np.float32], accept: str) -> tuple[str, str]:
    """The response body and its content type: one number a line, or the built-in algorithm's JSON.

    Raises UnacceptableType.
    """
    wanted = accepted(accept)
    if "application/json" in wanted:
        scores = [{"score": float(str(prediction))} for prediction in predictions]
        return json.dumps({"predictions": scores}), "application/json"
    if not {"text/csv", "text/*", "*/*"}.isdisjoint(wanted):
        return "".join(f"{prediction!s}\n" for prediction in predictions), "text/csv"
    raise UnacceptableType(f"{accept} cannot be given; accept text/csv or application/json")


def _refuse_other_version(folder: Path) -> None:
    """XGBoost loads a later version's model without an error and then predicts wrong numbers."""
    version = folder / XGBOOST_VERSION
    if not version.is_file():
        raise UnusableModel(f"{XGBOOST_VERSION} is missing")
    made_with = version.read_text(encoding="utf-8", errors="replace").strip()
    if made_with.split(".")[:2] != xgboost.__version__.split(".")[:2]:
        raise UnusableModel(f"made with XGBoost {made_with[:20]}, but this is XGBoost {xgboost.__version__}")


def _load_preprocessor(path: Path) -> Preprocessor:
    try:
        return from_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UnusableModel(f"{PREPROCESSOR} is missing") from None
    except UnicodeDecodeError:
        raise UnusableModel(f"{PREPROCESSOR} is damaged") from None
    except BadPreprocessor as error:
        raise UnusableModel(str(error)) from error


def _load_booster(path: Path) -> xgboost.Booster:
    content = bytearray(path.read_bytes()) if path.is_file() else b""
    # Both of XGBoost's formats are one object in braces. On half an object, XGBoost aborts the whole process.
    if not (content.startswith(b"{") and content.endswith(b"}")):
        raise UnusableModel(f"{BOOSTER} is missing or no whole XGBoost model")
    booster = xgboost.Booster({"nthread": 1})
    try:
        booster.load_model(content)
    except (ValueError, xgboost.core.XGBoostError) as error:
        raise UnusableModel(f"{BOOSTER} is no XGBoost model") from error
    return booster


def _read_record(line: str, number: int) -> Car:
    try:
        fields = next(csv.reader([line], strict=True, skipinitialspace=True))
        return read_car(dict(zip(_columns(fields), fields, strict=True)))
    except (csv.Error, BadCar) as error:
        raise BadRequest(f"record {number}: {error}") from None


def _columns(fields: Sequence[str]) -> Sequence[str]:
    if len(fields) == len(RAW_COLUMNS):
        return RAW_COLUMNS
    if len(fields) == len(RAW_COLUMNS) - 1:
        return RAW_COLUMNS[:-1]
    found = f"has {len(fields)} fields" if any(fields) else "is empty"
    raise BadCar(
        [f"{found}; expected {len(RAW_COLUMNS)}: {','.join(RAW_COLUMNS)} (the name may be left out)"]
    )
