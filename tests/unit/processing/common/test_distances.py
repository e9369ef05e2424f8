"""The distances are scipy's, and equally distributed samples keep within their limits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon

from common.distances import (
    Steps,
    jensen_shannon,
    jensen_shannon_limit,
    kolmogorov_smirnov,
    share_limit,
    wasserstein,
    wasserstein_limit,
)

Values = NDArray[np.float64]
numbers = st.lists(st.integers(-5, 5) | st.floats(-100, 100), min_size=1, max_size=30).map(
    lambda values: np.array(values, dtype=np.float64)
)
counts = st.lists(st.integers(0, 9), min_size=3, max_size=3).filter(any).map(np.array)


def steps(first: Values, second: Values) -> Steps:
    return Steps.of((first, second), (np.ones(len(first), np.int64), np.ones(len(second), np.int64)))


@given(numbers, numbers)
def test_the_distances_of_numbers_are_by_definition_and_scipys(first: Values, second: Values) -> None:
    found, pooled = steps(first, second), np.concatenate([first, second])
    furthest = max(abs((first <= place).mean() - (second <= place).mean()) for place in pooled)
    assert math.isclose(kolmogorov_smirnov(found), furthest, abs_tol=1e-12)
    moved = stats.wasserstein_distance(first, second)
    if np.ptp(pooled) > 1e-6:
        assert math.isclose(wasserstein(found), moved / pooled.std(), rel_tol=1e-6, abs_tol=1e-9)


@given(counts, counts)
def test_the_distance_of_categories_is_scipys(first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
    expected = jensenshannon(first, second, base=2)
    assert math.isclose(jensen_shannon(first, second), expected, abs_tol=1e-7)


def test_a_weight_stands_for_so_many_rows() -> None:
    first, second = np.array([1.0, 2.0, 2.0, 2.0, 2.0]), np.array([0.0, 2.0])
    weighted = Steps.of((np.array([1.0, 2.0]), second), (np.array([1, 4]), np.ones(2, np.int64)))
    assert kolmogorov_smirnov(weighted) == kolmogorov_smirnov(steps(first, second))
    assert wasserstein(weighted) == wasserstein(steps(first, second))
    assert weighted.rows == (5, 2)


@given(numbers, numbers, st.sampled_from([1e-200, 1e-3, 1e100]))
def test_the_unit_does_not_matter(first: Values, second: Values, unit: float) -> None:
    one, other = (
        steps(np.round(first), np.round(second)),
        steps(np.round(first) * unit, np.round(second) * unit),
    )
    assert math.isclose(wasserstein(one), wasserstein(other), rel_tol=1e-6, abs_tol=1e-9)
    assert math.isclose(wasserstein_limit(one, 1e-4), wasserstein_limit(other, 1e-4), rel_tol=1e-6)


def test_equal_values_have_no_distance() -> None:
    found = steps(np.full(50, 7.0), np.full(40, 7.0))
    assert (kolmogorov_smirnov(found), wasserstein(found), wasserstein_limit(found, 0.001)) == (0, 0, 0)


@pytest.mark.parametrize("rows", [(40, 40), (400, 60)])
def test_samples_of_one_distribution_keep_within_the_limits(rows: tuple[int, int]) -> None:
    """At a probability of 5 %, where exceeding can be counted: the limits are bounds, so fewer than that do."""
    random, probability, times = np.random.default_rng(5), 0.05, 300
    exceeded = np.zeros(3)
    for _ in range(times):
        first, second = (np.exp(random.normal(0, 2, size)) for size in rows)
        found = steps(first, second)
        categories = [np.bincount(random.integers(0, 4, size), minlength=4) for size in rows]
        exceeded += [
            kolmogorov_smirnov(found) > share_limit(rows, probability),
            wasserstein(found) > wasserstein_limit(found, probability),
            jensen_shannon(*categories) > jensen_shannon_limit(rows, 4, probability),
        ]
    assert exceeded.max() <= probability * times


def test_limits_shrink_with_more_rows_and_grow_with_surer_judgements() -> None:
    values = np.random.default_rng(6).normal(size=4000)
    few, many = steps(values[:50], values[50:100]), steps(values[:2000], values[2000:])
    assert share_limit(few.rows, 0.01) > share_limit(many.rows, 0.01) > share_limit(many.rows, 0.05)
    assert wasserstein_limit(few, 0.01) > wasserstein_limit(many, 0.01) > wasserstein_limit(many, 0.05)
    limits = [jensen_shannon_limit(rows, 5, 0.01) for rows in ((50, 50), (50, 5000), (5000, 5000))]
    assert limits == sorted(limits, reverse=True)
    assert jensen_shannon_limit((50, 50), 20, 0.01) > limits[0]


def test_the_limit_of_categories_is_near_that_of_many_rows() -> None:
    """Where the chi-squared distribution holds, the bound is wider, but not by much."""
    rows, categories, probability = (20_000, 20_000), 4, 1e-4
    exact = stats.chi2.ppf(1 - probability, categories - 1) / (2 * sum(rows) * math.log(2))
    assert 1 < jensen_shannon_limit(rows, categories, probability) / math.sqrt(exact) < 1.5
