"""Scores of a classifier, also in the layout of SageMaker's model quality reports.

The layout is that of Model Monitor's `multiclass_classification_metrics` ("Model quality metrics" in the
developer guide).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

Labels = NDArray[np.int64]

# From 200 samples on, Model Monitor adds a standard deviation: that of five random draws of 80 %.
_FEWEST_FOR_DEVIATION = 200
_DRAWS, _DRAWN = 5, 0.8


@dataclass(frozen=True)
class ClassScores:
    """Precision, recall and F1 of each class, in the classes' order; 0 where the divisor is 0."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]


def class_scores(actual: Labels, predicted: Labels, classes: Sequence[int]) -> ClassScores:
    """The scores of these classes."""
    precision, recall, f1, _ = precision_recall_fscore_support(
        actual, predicted, labels=classes, zero_division=0
    )
    return ClassScores(precision, recall, f1)


def confusion(actual: Labels, predicted: Labels, classes: Sequence[int]) -> list[list[int]]:
    """How often each actual class (row) was predicted as each class (column)."""
    counts: list[list[int]] = confusion_matrix(actual, predicted, labels=classes).tolist()
    return counts


def model_quality(actual: Labels, predicted: Labels, classes: Sequence[int]) -> dict[str, Any]:
    """`{"multiclass_classification_metrics": {...}}` as Model Monitor writes it."""
    constant = np.full_like(actual, np.bincount(actual).argmax())
    counts = confusion(actual, predicted, classes)
    matrix = {
        str(row): dict(zip(map(str, classes), line, strict=True))
        for row, line in zip(classes, counts, strict=True)
    }
    scores = {name: _with_deviation(score, actual, predicted) for name, score in _SCORES.items()}
    best_constant = {
        f"{name}_best_constant_classifier": _with_deviation(score, actual, constant)
        for name, score in _SCORES.items()
    }
    return {"multiclass_classification_metrics": {"confusion_matrix": matrix, **scores, **best_constant}}


Score = Callable[[Labels, Labels], float]


def _weighted(position: int, beta: float = 1.0) -> Score:
    """Precision (0), recall (1) or F beta (2), each class weighted by how often it occurs."""

    def score(actual: Labels, predicted: Labels) -> float:
        scores = precision_recall_fscore_support(
            actual, predicted, beta=beta, average="weighted", zero_division=0
        )
        return float(scores[position])

    return score


_SCORES: dict[str, Score] = {
    "accuracy": lambda actual, predicted: float(accuracy_score(actual, predicted)),
    "weighted_recall": _weighted(1),
    "weighted_precision": _weighted(0),
    "weighted_f0_5": _weighted(2, beta=0.5),
    "weighted_f1": _weighted(2),
    "weighted_f2": _weighted(2, beta=2.0),
}


def _with_deviation(score: Score, actual: Labels, predicted: Labels) -> dict[str, float | str]:
    value = score(actual, predicted)
    if len(actual) < _FEWEST_FOR_DEVIATION:
        return {"value": value, "standard_deviation": "NaN"}  # a string, as in Model Monitor's reports
    random = np.random.default_rng(0)
    draws = (random.choice(len(actual), int(_DRAWN * len(actual)), replace=False) for _ in range(_DRAWS))
    return {
        "value": value,
        "standard_deviation": float(np.std([score(actual[d], predicted[d]) for d in draws])),
    }
