"""Puts the model together and measures how often it is right about the test irises."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from xgboost import Booster

from common.bundle import read_files
from common.cluster import Cluster
from common.evaluation import Baseline, Matrix, Measurement, Metric
from common.smoke_test import smoke_test
from iris import inference
from iris.inference import BOOSTER, MODEL_FILES
from iris.upload import MEASURES, SPECIES

__all__ = ["MODEL_FILES", "assemble", "measure"]


def assemble(trained: Path, prepared: Path, folder: Path) -> None:
    """Put MODEL_FILES into the folder. Raises BadArchive."""
    (folder / BOOSTER).write_bytes(read_files(trained, {BOOSTER})[BOOSTER])


def measure(folder: Path, prepared: Path, cluster: Cluster) -> Measurement:
    """Predict the test rows as a caller of the model would, and compare. Raises UnusableModel."""
    with (prepared / "test" / "test.csv").open(encoding="utf-8", newline="") as stream:
        labels, rows = zip(
            *((SPECIES[int(label)], ",".join(row)) for label, *row in csv.reader(stream)), strict=True
        )
    model = inference.model_fn(str(folder))
    predicted = _predict(model, rows)
    counts = [
        [sum(pair == (actual, guess) for pair in zip(labels, predicted, strict=True)) for guess in SPECIES]
        for actual in SPECIES
    ]
    accuracy = sum(counts[row][row] for row in range(len(SPECIES))) / len(labels)
    most_frequent, times = Counter(labels).most_common(1)[0]
    return Measurement(
        metrics=[Metric("accuracy", "Share of correct species", accuracy, better="higher")],
        baseline=Baseline(f"always saying {most_frequent}", times / len(labels)),
        model_quality={
            "multiclass_classification_metrics": {
                "confusion_matrix": {
                    actual: dict(zip(SPECIES, row, strict=True))
                    for actual, row in zip(SPECIES, counts, strict=True)
                },
                "accuracy": {"value": accuracy},
            }
        },
        figures=[
            Matrix(
                "Species of the test irises",
                "On the diagonal a prediction is right.",
                "predicted",
                "actual",
                SPECIES,
                counts,
            )
        ],
        batch_columns=[*MEASURES, "predicted species", "probability"],
        smoke_test=smoke_test(inference, model, rows, "text/csv", "text/csv"),
        gate_values=[float(actual == guess) for actual, guess in zip(labels, predicted, strict=True)],
    )


def _predict(model: Booster, rows: tuple[str, ...]) -> list[str]:
    sizes = inference.input_fn("\n".join(rows), "text/csv")
    body, _ = inference.output_fn(inference.predict_fn(sizes, model), "text/csv")
    return [line.partition(",")[0] for line in body.splitlines()]
