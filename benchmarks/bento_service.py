"""The model of `serving.py` behind BentoML's server: CSV without a header in, one prediction a line out."""

from __future__ import annotations

import os

import bentoml
import numpy as np
import xgboost


@bentoml.service(workers=1)
class Predictor:
    """One worker with the booster in the file `MODEL`."""

    def __init__(self) -> None:
        self.booster = xgboost.Booster(model_file=os.environ["MODEL"])

    @bentoml.api(route="/invocations")  # type: ignore[untyped-decorator]
    def predict(self, rows: str, /) -> str:
        """Predict every line."""
        numbers = [[float(field or "nan") for field in line.split(",")] for line in rows.splitlines()]
        predicted = self.booster.predict(xgboost.DMatrix(np.array(numbers)))
        return "".join(f"{value}\n" for value in predicted.tolist())
