"""The model's interface: raw rows of cars in, one prediction for each row out.

`common/wsgi.py` serves it in the SageMaker XGBoost image. Evaluation predicts with it as well, so that
training and serving cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xgboost
from numpy.typing import NDArray

from auto_mpg.features import FEATURES, BadPreprocessor, Preprocessor, from_json
from auto_mpg.requests import Contents, read_contents, write_predictions
from common.serving import UnusableModel, refuse_changed_files

BOOSTER = "xgboost-model"
PREPROCESSOR = "preprocessor.json"
XGBOOST_VERSION = "xgboost-version"
MODEL_FILES = (BOOSTER, PREPROCESSOR, XGBOOST_VERSION)


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


def input_fn(body: str | bytes, content_type: str) -> Contents:
    """The cars of a request. Raises BadRequest or UnsupportedContentType."""
    return read_contents(body, content_type)


def predict_fn(contents: Contents, model: Model) -> NDArray[np.float32]:
    """Miles per gallon of each car, in the same order."""
    rows = model.preprocessor.features(contents).astype(np.float32)
    # One thread: the server runs a worker on each core, and OpenMP's threads do not survive a fork.
    predictions: NDArray[np.float32] = model.booster.predict(
        xgboost.DMatrix(rows, nthread=1), validate_features=False
    )
    return predictions


def output_fn(predictions: NDArray[np.float32], accept: str) -> tuple[str, str]:
    """The response body and its content type. Raises UnacceptableType."""
    return write_predictions(predictions, accept)


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
