"""Assembles the model of a car's fuel economy and measures it on the test rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray
from pyarrow import parquet
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score, root_mean_squared_error

from auto_mpg import inference
from auto_mpg.car import COLUMNS, RAW_COLUMNS
from auto_mpg.inference import MODEL_FILES
from common.bundle import read_files
from common.evaluation import Baseline, Figure, Measurement, Metric, Scatter
from common.exact_sums import ExactSum
from common.serving import UnusableModel
from common.smoke_test import smoke_test

__all__ = ["MODEL_FILES", "assemble", "measure", "requests"]

POINTS_SHOWN = 200
_LINES_A_REQUEST = 10_000

Numbers = NDArray[np.float64]


def assemble(trained: Path, prepared: Path, folder: Path) -> None:
    """Put MODEL_FILES into the folder. Raises BadArchive."""
    (folder / inference.BOOSTER).write_bytes(read_files(trained, {inference.BOOSTER})[inference.BOOSTER])
    shutil.copyfile(prepared / inference.PREPROCESSOR, folder / inference.PREPROCESSOR)
    (folder / inference.XGBOOST_VERSION).write_text(xgboost.__version__ + "\n", encoding="utf-8")


def measure(folder: Path, prepared: Path) -> Measurement:
    """Predict the test rows as a caller of the model would, and measure the errors. Raises UnusableModel."""
    labels, raw = _read_test_rows(prepared / "test" / "test.csv")
    model = inference.model_fn(str(folder))
    measured = measure_predictions(labels, _predict(model, raw), _mean_label(prepared))
    sample = smoke_test(inference, model, raw.splitlines(), "text/csv", "text/csv")
    return replace(measured, smoke_test=sample)


def requests(prepared: Path) -> Iterator[str]:
    """The test rows as callers of the model send them, in requests that fit into memory."""
    _, raw = _read_test_rows(prepared / "test" / "test.csv")
    lines = raw.splitlines(keepends=True)
    for start in range(0, len(lines), _LINES_A_REQUEST):
        yield "".join(lines[start : start + _LINES_A_REQUEST])


def measure_predictions(labels: Numbers, predicted: Numbers, mean_label: float) -> Measurement:
    """Compare predictions with the labels of the test rows; `mean_label` is the training rows' mean."""
    mse = float(mean_squared_error(labels, predicted))
    rmse = float(root_mean_squared_error(labels, predicted))
    mae = float(mean_absolute_error(labels, predicted))
    # If all labels are equal, R squared is 1 for exact predictions and otherwise 0.
    r2 = float(r2_score(labels, predicted))
    deviation = float(np.std(predicted - labels))
    unit = "miles per gallon"
    return Measurement(
        metrics=[
            Metric("mse", "Mean squared error", mse),
            Metric("rmse", "Root mean squared error", rmse, unit),
            Metric("residual_standard_deviation", "Standard deviation of the errors", deviation, unit),
            Metric("mae", "Mean absolute error", mae, unit),
            Metric("r2", "R squared", r2, better="higher"),
        ],
        baseline=Baseline(
            "predicting the mean", float(mean_squared_error(labels, np.full_like(labels, mean_label)))
        ),
        model_quality={
            "regression_metrics": {
                "mse": {"value": mse, "standard_deviation": deviation},
                "rmse": {"value": rmse},
                "mae": {"value": mae},
                "r2": {"value": r2},
            }
        },
        figures=_figures(labels, predicted),
        batch_columns=[*RAW_COLUMNS, "predicted mpg"],
        gate_values=((predicted - labels) ** 2).tolist(),
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


def _predict(model: inference.Model, raw: str) -> Numbers:
    predictions = inference.predict_fn(inference.input_fn(raw, "text/csv"), model)
    body, _ = inference.output_fn(predictions, "text/csv")
    predicted = np.array([float(line) for line in body.splitlines()])
    if not np.isfinite(predicted).all():
        raise UnusableModel("predicts something that is no number")
    return predicted


def _read_test_rows(path: Path) -> tuple[Numbers, str]:
    """The labels, and the rows as a caller of the model sends them."""
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    labels = rows.pop(COLUMNS[0]).to_numpy(np.float64)
    return labels, rows.to_csv(index=False, header=False, lineterminator="\n")


def _mean_label(prepared: Path) -> float:
    labels = ExactSum()
    for path in sorted((prepared / "train").glob("*.parquet")):
        labels.add(parquet.read_table(path, columns=[COLUMNS[0]]).column(0).to_numpy().astype(np.float64))
    return labels.mean
