"""The change of a model's error has Welch's interval, and only a worse one is a degradation."""

import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats

from common.evaluation import Metric
from common.quality import Quality, quality_change, read_quality

ERROR = Metric("mse", "Mean squared error", 0.0)
SCORE = Metric("accuracy", "Accuracy", 0.0, better="higher")


def quality(metric: Metric, values: list[float]) -> Quality:
    found = Quality.of(metric, values)
    assert found is not None
    return found


def test_the_interval_is_welchs() -> None:
    random = np.random.default_rng(2)
    then, now = random.normal(5, 1, 40), random.normal(6, 3, 25)
    change = quality_change(quality(ERROR, then.tolist()), now.tolist())
    assert change is not None
    expected = stats.ttest_ind(now, then, equal_var=False).confidence_interval(0.99)
    assert math.isclose(change.low, expected.low, rel_tol=0.005)
    assert math.isclose(change.high, expected.high, rel_tol=0.005)
    assert (change.level, change.rows) == (0.99, 25)
    assert (change.at_approval, change.now) == (then.mean(), now.mean())


@pytest.mark.parametrize(
    ("metric", "now", "degraded"),
    [(ERROR, 9.0, True), (ERROR, 1.0, False), (ERROR, 5.1, False), (SCORE, 9.0, False), (SCORE, 1.0, True)],
)
def test_only_a_change_to_the_worse_side_is_a_degradation(metric: Metric, now: float, degraded: bool) -> None:
    random = np.random.default_rng(3)
    then = quality(metric, random.normal(5, 1, 100).tolist())
    change = quality_change(then, random.normal(now, 1, 100).tolist())
    assert change is not None
    assert (change.degraded, change.better) == (degraded, metric.better)


def test_values_without_any_deviation_are_compared_as_they_are() -> None:
    then = quality(SCORE, [1.0] * 50)
    same, worse = quality_change(then, [1.0] * 50), quality_change(then, [0.0] * 50)
    assert same is not None
    assert worse is not None
    assert (same.low, same.high, same.degraded, worse.degraded) == (0, 0, False, True)


def test_one_mistake_is_no_degradation() -> None:
    change = quality_change(quality(SCORE, [1.0] * 50), [1.0] * 49 + [0.0])
    assert change is not None
    assert not change.degraded


def test_too_few_rows_are_not_judged() -> None:
    assert Quality.of(ERROR, [1.0] * 9) is None
    assert quality_change(quality(ERROR, [1.0] * 10), [2.0] * 9) is None


def test_it_survives_the_statistics_file() -> None:
    found = quality(SCORE, [1.0] * 30 + [0.0] * 3)
    assert read_quality({"gate": asdict(found)}) == found


@pytest.mark.parametrize(
    "content", [None, {}, {"gate": 7}, {"gate": {"mean": 1, "deviation": None, "rows": 3}}]
)
def test_a_file_without_it_has_none(content: object) -> None:
    assert read_quality(content) is None
