"""Assembles the model of a car's fuel economy and measures it on the test rows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from io import StringIO
from itertools import islice
from math import sqrt
from pathlib import Path

# OpenMP's threads do not survive a fork, which would wait for them forever. XGBoost's import reads this.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import xgboost
from numpy.typing import NDArray
from pyarrow import parquet

from auto_mpg import inference
from auto_mpg.car import COLUMNS, RAW_COLUMNS
from auto_mpg.errors import Errors
from auto_mpg.inference import MODEL_FILES
from auto_mpg.labelled import labelled_requests
from common.arrow import to_numpy
from common.bundle import Contents, read_files
from common.cluster import Cluster
from common.evaluation import Baseline, Figure, Measurement, Metric, Scatter
from common.exact_sums import ExactSum
from common.serving import UnusableModel
from common.smoke_test import ROWS, smoke_test

__all__ = ["FORKS", "MODEL_FILES", "assemble", "measure", "requests"]

# The model can also be used in a fork of a process that has used it.
FORKS = True

Numbers = NDArray[np.float64]


def assemble(trained: Path, prepared: Path, folder: Path) -> None:
    """Put MODEL_FILES into the folder. Raises BadArchive."""
    (folder / inference.BOOSTER).write_bytes(read_files(trained, {inference.BOOSTER})[inference.BOOSTER])
    shutil.copyfile(prepared / inference.PREPROCESSOR, folder / inference.PREPROCESSOR)
    (folder / inference.XGBOOST_VERSION).write_text(xgboost.__version__ + "\n", encoding="utf-8")


def measure(folder: Path, prepared: Path, cluster: Cluster) -> Measurement:
    """Predict the test rows as a caller of the model would, and measure the errors. Raises UnusableModel."""
    files = _files(prepared, "test")
    mean_label = _mean_label(prepared, cluster)
    # Tens of millions of rows have many files; eight bytes for each row would be too many.
    kind = np.float64 if len(files) == 1 else np.float32
    errors = Errors()
    model = Contents.read(folder, MODEL_FILES)
    for of_file in cluster.map(partial(_measure_file, model, mean_label, kind), files):
        errors.merge(of_file)
    rows = list(islice(StringIO(next(requests(prepared))), ROWS))
    sample = smoke_test(inference, _load(model), rows, "text/csv", "text/csv")
    return replace(measured(errors), smoke_test=sample)


def requests(prepared: Path) -> Iterator[str]:
    """The test rows as callers of the model send them, in requests that fit into memory."""
    for path in _files(prepared, "test"):
        for _, request in labelled_requests(path):
            yield request


def measured(errors: Errors) -> Measurement:
    """The metrics of these errors."""
    unit = "miles per gallon"
    mse, mae, deviation = errors.mse, errors.sizes.mean, errors.errors.deviation
    return Measurement(
        metrics=[
            Metric("mse", "Mean squared error", mse),
            Metric("rmse", "Root mean squared error", sqrt(mse), unit),
            Metric("residual_standard_deviation", "Standard deviation of the errors", deviation, unit),
            Metric("mae", "Mean absolute error", mae, unit),
            Metric("r2", "R squared", errors.r2, better="higher"),
        ],
        baseline=Baseline("predicting the mean", errors.distances.mean_square),
        model_quality={
            "regression_metrics": {
                "mse": {"value": mse, "standard_deviation": deviation},
                "rmse": {"value": sqrt(mse)},
                "mae": {"value": mae},
                "r2": {"value": errors.r2},
            }
        },
        figures=_figures(errors.sample()),
        batch_columns=[*RAW_COLUMNS, "predicted mpg"],
        gate_values=np.concatenate(errors.squares),
    )


def _figures(pairs: list[tuple[float, float]]) -> list[Figure]:
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


def _measure_file(files: Contents, mean_label: float, kind: type[np.floating], path: Path) -> Errors:
    model = _load(files)
    labels: list[float] = []
    predicted = []
    for actual, request in labelled_requests(path):
        labels += map(float, actual)
        predicted.append(_predict(model, request))
    return Errors.of(np.array(labels), np.concatenate(predicted), mean_label, kind)


@lru_cache(maxsize=1)
def _load(files: Contents) -> inference.Model:
    with files.unpacked() as folder:
        return inference.model_fn(str(folder))


def _predict(model: inference.Model, request: str) -> Numbers:
    predictions = inference.predict_fn(inference.input_fn(request, "text/csv"), model)
    body, _ = inference.output_fn(predictions, "text/csv")
    predicted = np.array([float(line) for line in body.splitlines()])
    if not np.isfinite(predicted).all():
        raise UnusableModel("predicts something that is no number")
    return predicted


def _files(prepared: Path, folder: str) -> list[Path]:
    """The files of a channel or table, in their order."""
    return sorted(path for path in (prepared / folder).iterdir() if path.suffix != ".manifest")


def _mean_label(prepared: Path, cluster: Cluster) -> float:
    """The mean of the training rows' labels."""
    labels = ExactSum()
    for of_file in cluster.map(_label_sum, _files(prepared, "train")):
        labels.merge(of_file)
    return labels.mean


def _label_sum(path: Path) -> ExactSum:
    labels = ExactSum()
    for batch in parquet.ParquetFile(path).iter_batches(columns=[COLUMNS[0]]):
        labels.add(to_numpy(batch.column(0)).astype(np.float64))
    return labels
