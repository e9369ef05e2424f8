"""Puts the model of a car's fuel economy together and measures it on the test rows."""

from __future__ import annotations

import csv
import io
import math
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import xgboost
from numpy.typing import NDArray

from auto_mpg import inference
from auto_mpg.car import RAW_COLUMNS
from auto_mpg.inference import MODEL_FILES
from common.bundle import read_files
from common.evaluation import Baseline, Figure, Measurement, Metric, Scatter
from common.serving import UnusableModel

__all__ = ["MODEL_FILES", "assemble", "measure"]

POINTS_SHOWN = 200

Numbers = NDArray[np.float64]


def assemble(trained: Path, prepared: Path, folder: Path) -> None:
    """Put MODEL_FILES into the folder. Raises BadArchive."""
    (folder / inference.BOOSTER).write_bytes(read_files(trained, {inference.BOOSTER})[inference.BOOSTER])
    shutil.copyfile(prepared / inference.PREPROCESSOR, folder / inference.PREPROCESSOR)
    (folder / inference.XGBOOST_VERSION).write_text(xgboost.__version__ + "\n", encoding="utf-8")


def measure(folder: Path, prepared: Path) -> Measurement:
    """Predict the test rows as a caller of the model would, and compare. Raises UnusableModel."""
    labels, raw = _read_test_rows(prepared / "test" / "test.csv")
    predicted = _predict(folder, raw)
    errors = predicted - labels
    mse = _mse(labels, predicted)
    deviation, mae, r2 = float(np.std(errors)), float(np.mean(np.abs(errors))), _r2(labels, mse)
    unit = "miles per gallon"
    return Measurement(
        metrics=[
            Metric("mse", "Mean squared error", mse),
            Metric("rmse", "Root mean squared error", math.sqrt(mse), unit),
            Metric("residual_standard_deviation", "Standard deviation of the errors", deviation, unit),
            Metric("mae", "Mean absolute error", mae, unit),
            Metric("r2", "R squared", r2, better="higher"),
        ],
        baseline=Baseline("predicting the mean", _mse(labels, np.full_like(labels, _mean_label(prepared)))),
        model_quality={
            "regression_metrics": {
                "mse": {"value": mse, "standard_deviation": deviation},
                "rmse": {"value": math.sqrt(mse)},
                "mae": {"value": mae},
                "r2": {"value": r2},
            }
        },
        figures=_figures(labels, predicted),
        batch_columns=[*RAW_COLUMNS, "predicted mpg"],
    )


def _figures(labels: Numbers, predicted: Numbers) -> list[Figure]:
    pairs = list(zip(labels.tolist(), predicted.tolist(), strict=True))[:POINTS_SHOWN]
    return [
        Scatter(
            "Predicted and actual mpg of the test cars",
            "On the dashed line a prediction is right.",
            "actual mpg",
            "predicted mpg",
            pairs,
            "diagonal",
        ),
        Scatter(
            "Errors of the test predictions",
            "Errors should scatter evenly around zero.",
            "predicted mpg",
            "actual - predicted",
            [(guess, actual - guess) for actual, guess in pairs],
            "zero",
        ),
    ]


def _predict(folder: Path, raw: str) -> Numbers:
    predictions = inference.predict_fn(inference.input_fn(raw, "text/csv"), inference.model_fn(str(folder)))
    body, _ = inference.output_fn(predictions, "text/csv")
    predicted = np.array([float(line) for line in body.splitlines()])
    if not np.isfinite(predicted).all():
        raise UnusableModel("predicts something that is no number")
    return predicted


def _read_test_rows(path: Path) -> tuple[Numbers, str]:
    """The labels, and the rows as a caller of the model sends them."""
    with path.open(encoding="utf-8", newline="") as stream:
        _, *rows = csv.reader(stream)
    return np.array([float(label) for label, *_ in rows]), _to_csv(raw for _, *raw in rows)


def _to_csv(rows: Iterable[Sequence[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def _mean_label(prepared: Path) -> float:
    with (prepared / "train" / "train.csv").open(encoding="utf-8") as stream:
        return math.fsum(labels := [float(line.partition(",")[0]) for line in stream]) / len(labels)


def _mse(actual: Numbers, predicted: Numbers) -> float:
    return float(np.mean((predicted - actual) ** 2))


def _r2(actual: Numbers, mse: float) -> float:
    """Labels that are all the same leave nothing to explain: then 1 for exact predictions, otherwise 0."""
    variance = float(np.var(actual))
    return 1 - mse / variance if variance else float(mse == 0)
