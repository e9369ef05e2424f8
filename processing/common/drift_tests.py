"""Compares rows with a model's baseline, feature by feature."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common import distances
from common.baseline import Baseline, Category, Feature, Number, summarize
from common.columns import Columns, row_count
from common.constraints import violations
from common.distances import Steps
from common.drift import (
    JENSEN_SHANNON,
    KOLMOGOROV_SMIRNOV,
    MISSING,
    WASSERSTEIN,
    Drift,
    FeatureTest,
    Histogram,
)
from common.histograms import histogram_of_categories, histogram_of_numbers

__all__ = ["DISTANCE", "FEWEST_ROWS", "SIGNIFICANCE", "compare", "violations"]

# What the stack's parameters DriftSignificance and DriftDistance are by default.
SIGNIFICANCE, DISTANCE = 0.001, 0.1
# Fewer rows, of the baseline or now, say too little.
FEWEST_ROWS = 30
# A normal distribution that moves by d deviations, if d is small, has moved by the Wasserstein distance d and
# the Kolmogorov-Smirnov distance d / sqrt(2 pi).
_DEVIATIONS = math.sqrt(2 * math.pi)
# Of a number: both distances and the missing share; of a category: one distance and the missing share.
_TESTS = {Number: 3, Category: 2}
_DECIMALS = 6


def compare(
    baseline: Baseline,
    now: Columns,
    model_package_arn: str,
    significance: float = SIGNIFICANCE,
    distance: float = DISTANCE,
) -> Drift:
    """Test each feature that baseline and rows have in common.

    `significance` is the probability of any false alarm among all tests, `distance` the smallest
    Kolmogorov-Smirnov or Jensen-Shannon distance that counts. `Drift.problem` says why nothing was judged.
    """
    rows = row_count(now)
    pairs = list(_pairs(baseline, now))
    tests: list[FeatureTest] = []
    problem = _problem(baseline, rows, len(pairs))
    if not problem:
        # Bonferroni's correction: each test gets an equal share.
        count = sum(_TESTS[type(before)] for _, before, _ in pairs)
        limits = _Limits(significance / count, distance)
        for name, before, after in pairs:
            tests += _test(name, before, after, limits)
    return Drift(model_package_arn, baseline.rows, rows, significance, tuple(tests), problem)


def _problem(baseline: Baseline, rows: int, common_features: int) -> str:
    if min(rows, baseline.rows) < FEWEST_ROWS:
        return (
            f"There are too few rows to compare: {rows:,} now and {baseline.rows:,} in the model's baseline; "
            f"{FEWEST_ROWS} of each are needed."
        )
    return "" if common_features else "The model's baseline describes other features than these rows have."


def _pairs(baseline: Baseline, now: Columns) -> Iterator[tuple[str, Feature, Feature]]:
    for name, before in baseline.features.items():
        after = summarize(now[name], whole=True) if name in now else None
        if after is not None and type(before) is type(after):
            yield name, before, after


@dataclass(frozen=True)
class _Limits:
    """The probability of a false alarm in one test, and the smallest distance that counts."""

    probability: float
    distance: float


def _test(name: str, before: Feature, after: Feature, limits: _Limits) -> Iterator[FeatureTest]:
    if before.present and after.present:
        if isinstance(before, Number) and isinstance(after, Number):
            yield from _test_numbers(name, before, after, limits)
        elif isinstance(before, Category) and isinstance(after, Category):
            yield _test_categories(name, before, after, limits)
    rows = before.present + before.missing, after.present + after.missing
    difference = abs(before.missing / rows[0] - after.missing / rows[1])
    limit = distances.share_limit(rows, limits.probability)
    yield _result(name, MISSING, difference, limit, limits.distance)


def _test_numbers(name: str, before: Number, after: Number, limits: _Limits) -> Iterator[FeatureTest]:
    steps = Steps.of((before.values, after.values), (before.weights, after.weights))
    apart, limit = distances.kolmogorov_smirnov(steps), distances.share_limit(steps.rows, limits.probability)
    shown = histogram_of_numbers(before, after)
    yield _result(name, KOLMOGOROV_SMIRNOV, apart, limit, limits.distance, shown)
    moved, limit = distances.wasserstein(steps), distances.wasserstein_limit(steps, limits.probability)
    yield _result(name, WASSERSTEIN, moved, limit, _DEVIATIONS * limits.distance)


def _test_categories(name: str, before: Category, after: Category, limits: _Limits) -> FeatureTest:
    # Categories that the baseline does not count one by one are one category.
    counts = [
        _with_others([of.counts.get(key, 0) for key in before.counts], of.present) for of in (before, after)
    ]
    different = before.distinct + len(set(after.counts) - set(before.counts))
    rows = before.present, after.present
    limit = distances.jensen_shannon_limit(rows, max(different, 2), limits.probability)
    shown = histogram_of_categories(before, after)
    return _result(name, JENSEN_SHANNON, distances.jensen_shannon(*counts), limit, limits.distance, shown)


def _with_others(counts: list[int], present: int) -> NDArray[np.int64]:
    return np.array([*counts, present - sum(counts)], np.int64)


def _result(
    name: str,
    test: str,
    statistic: float,
    limit: float,
    smallest: float,
    histogram: Histogram | None = None,
) -> FeatureTest:
    """Rounded, so that the last bits of a sum change no file."""
    found, threshold = round(statistic, _DECIMALS), round(max(limit, smallest), _DECIMALS)
    return FeatureTest(name, test, found, threshold, found > threshold, histogram)
