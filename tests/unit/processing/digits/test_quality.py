"""The quality of a classifier, against figures worked out by hand and SageMaker's own example of the layout."""

import json

import numpy as np
import pytest

from digits.quality import class_scores, confusion, model_quality

ACTUAL = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 2, 2])


def test_the_matrix_has_the_actual_class_in_its_rows() -> None:
    assert confusion(ACTUAL, PREDICTED, range(3)) == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]


def test_each_class_has_its_precision_and_recall() -> None:
    scores = class_scores(ACTUAL, PREDICTED, range(4))
    assert scores.precision == pytest.approx([1, 1 / 2, 1 / 2, 0])
    assert scores.recall == pytest.approx([2 / 3, 1 / 2, 1, 0])
    assert scores.f1 == pytest.approx([4 / 5, 1 / 2, 2 / 3, 0])


def test_the_report_has_the_names_of_model_monitor() -> None:
    report = model_quality(ACTUAL, PREDICTED, range(3))
    metrics = report["multiclass_classification_metrics"]
    scores = [
        "accuracy",
        "weighted_recall",
        "weighted_precision",
        "weighted_f0_5",
        "weighted_f1",
        "weighted_f2",
    ]
    constant = [f"{name}_best_constant_classifier" for name in scores]
    assert list(metrics) == ["confusion_matrix", *scores, *constant]
    assert metrics["confusion_matrix"]["1"] == {"0": 0, "1": 1, "2": 1}
    assert metrics["accuracy"]["value"] == pytest.approx(4 / 6)
    assert metrics["weighted_recall"]["value"] == pytest.approx(4 / 6)
    assert metrics["weighted_precision"]["value"] == pytest.approx((3 * 1 + 2 / 2 + 1 / 2) / 6)
    assert metrics["accuracy_best_constant_classifier"]["value"] == pytest.approx(3 / 6)
    assert metrics["accuracy"]["standard_deviation"] == "NaN"  # of fewer than 200 samples
    json.dumps(report, allow_nan=False)


def test_from_200_samples_on_there_are_standard_deviations_and_always_the_same() -> None:
    actual, predicted = np.tile(ACTUAL, 4000), np.tile(PREDICTED, 4000)
    first, second = (model_quality(actual, predicted, range(3)) for _ in range(2))
    assert first == second
    accuracy = first["multiclass_classification_metrics"]["accuracy"]
    assert accuracy["value"] == pytest.approx(4 / 6)
    # Of draws of 80 % without replacement: the root of 4/6 * 2/6 / 19,200 * (1 - 0.8), estimated from five.
    assert accuracy["standard_deviation"] == pytest.approx(0.0015, rel=0.6)
