"""Serves the model: a line of four sizes in, the species and its probability out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import xgboost
from numpy.typing import NDArray

from common.serving import (
    BadRequest,
    UnacceptableType,
    UnsupportedContentType,
    UnusableModel,
    accepted,
    media_type,
    refuse_changed_files,
)
from iris.upload import MEASURES, SPECIES, is_size

BOOSTER = "xgboost-model"
MODEL_FILES = (BOOSTER,)

Numbers = NDArray[np.float32]


def model_fn(model_dir: str) -> xgboost.Booster:
    """Load the unpacked bundle, if it is the one that was evaluated. Raises UnusableModel."""
    refuse_changed_files(Path(model_dir), MODEL_FILES)
    booster = xgboost.Booster({"nthread": 1})
    try:
        booster.load_model(bytearray(Path(model_dir, BOOSTER).read_bytes()))
    except (OSError, xgboost.core.XGBoostError) as error:
        raise UnusableModel(f"{BOOSTER} is missing or no XGBoost model") from error
    if booster.num_features() != len(MEASURES):
        raise UnusableModel(f"the model has {booster.num_features()} features, not {len(MEASURES)}")
    return booster


def input_fn(body: str | bytes, content_type: str) -> Numbers:
    """Parse CSV without a header, MEASURES in their order. Raises BadRequest or UnsupportedContentType."""
    if media_type(content_type) != "text/csv":
        raise UnsupportedContentType(f"content type {content_type} is not supported; send text/csv")
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    rows = list(csv.reader(text.splitlines()))
    for number, row in enumerate(rows, start=1):
        if len(row) != len(MEASURES) or not all(map(is_size, row)):
            raise BadRequest(f"record {number}: expected four sizes: {','.join(MEASURES)}")
    return np.array([[float(size) for size in row] for row in rows], dtype=np.float32)


def predict_fn(sizes: Numbers, model: xgboost.Booster) -> Numbers:
    """The probability of each species, a row an iris."""
    probabilities: Numbers = model.predict(xgboost.DMatrix(sizes, nthread=1), validate_features=False)
    return probabilities


def output_fn(probabilities: Numbers, accept: str) -> tuple[str, str]:
    """`versicolor,0.97` for each iris, or the same in JSON. Raises UnacceptableType."""
    predicted = [(SPECIES[int(row.argmax())], float(row.max())) for row in probabilities]
    wanted = accepted(accept)
    if "application/json" in wanted:
        return json.dumps({"predictions": predicted}), "application/json"
    if not {"text/csv", "text/*", "*/*"}.isdisjoint(wanted):
        return "".join(f"{species},{probability:.6f}\n" for species, probability in predicted), "text/csv"
    raise UnacceptableType(f"{accept} cannot be given; accept text/csv or application/json")
