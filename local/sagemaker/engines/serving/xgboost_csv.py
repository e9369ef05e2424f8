"""Reads CSV as the XGBoost image does, and has its functions for a script that lacks them.

The functions import xgboost themselves, because the scikit-learn image, which this package also serves, lacks
it.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import numpy as np

from local.sagemaker.engines.serving.script_mode import CSV, Defaults, UnsupportedTypeError

if TYPE_CHECKING:
    import xgboost


def read_csv(text: str) -> xgboost.DMatrix:
    """CSV without a header or a label; an empty field is a missing value. The delimiter is guessed from the
    first line, as in the image."""
    import xgboost

    lines = text.strip().split("\n")
    guessed = csv.Sniffer().sniff(lines[0][:512]).delimiter
    delimiter = "," if guessed.isalnum() else guessed
    rows = [[field.strip() or "nan" for field in line.split(delimiter)] for line in lines]
    return xgboost.DMatrix(np.array(rows).astype(float))


def _read(content: str | bytes, content_type: str) -> xgboost.DMatrix:
    if content_type.partition(";")[0].strip() != CSV:
        raise UnsupportedTypeError(
            f"content type {content_type} is not supported locally; give {CSV}, or an input_fn"
        )
    return read_csv(content.decode() if isinstance(content, bytes) else content)


def _predict(data: Any, model: Any) -> Any:
    return model.predict(data, validate_features=False)


DEFAULTS = Defaults(_read, _predict)
