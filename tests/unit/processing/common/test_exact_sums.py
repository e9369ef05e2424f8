import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import exact_sums
from common.exact_sums import ExactMedian, ExactSum

ANY = st.floats(allow_nan=False, allow_infinity=False)
DECIMALS = st.integers(1, 10**7).map(lambda number: number / 10)
# Squares of other numbers do not fit into a float64.
LISTS = st.lists(DECIMALS | st.floats(-1e150, 1e150), min_size=1, max_size=40)
POSITIVE = st.lists(DECIMALS | st.floats(1e-300, 1e300), min_size=1, max_size=40)


def summed(values: list[float], cuts: int = 1) -> ExactSum:
    found = ExactSum()
    for part in np.array_split(np.array(values), cuts):
        of_part = ExactSum()
        of_part.add(part)
        found.merge(of_part)
    return found


def counted(values: list[float], cuts: int = 1) -> ExactMedian:
    found = ExactMedian()
    for part in np.array_split(np.array(values), cuts):
        of_part = ExactMedian()
        of_part.add_counted(part, np.ones(len(part), np.int64))
        found.merge(of_part)
    return found


@given(LISTS)
def test_mean_and_deviation_are_those_of_exact_arithmetic(values: list[float]) -> None:
    found, exact = summed(values), list(map(Fraction, values))
    mean = sum(exact) / len(exact)
    assert found.mean == float(mean)
    variance = sum((value - mean) ** 2 for value in exact) / len(exact)
    assert found.deviation == math.sqrt(float(variance))


@given(st.lists(ANY, min_size=1, max_size=40))
def test_the_sum_of_any_values_is_exact(values: list[float]) -> None:
    assert Fraction(summed(values).total, 2**1074) == sum(map(Fraction, values))


@given(LISTS, st.integers(1, 7), st.randoms(use_true_random=False))
def test_order_and_grouping_do_not_matter(values: list[float], cuts: int, random: object) -> None:
    shuffled = sorted(values, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert summed(shuffled, cuts) == summed(values)


def test_more_values_than_fit_into_one_product_are_summed_exactly() -> None:
    values = np.random.default_rng(1).integers(1, 2**20, 100_000)
    found = summed(values.astype(np.float64).tolist())
    assert found.total == int(values.sum()) << 1074
    assert found.squares == int((values.astype(object) ** 2).sum()) << 2148


@given(LISTS, ANY.filter(lambda value: abs(value) < 1e150), st.integers(0, 5))
def test_a_repeated_value_counts_as_often_as_it_is_repeated(
    values: list[float], repeated: float, times: int
) -> None:
    found = summed(values)
    found.add_repeated(repeated, times)
    assert found == summed(values + [repeated] * times)


@given(LISTS, st.integers(0, 500))
def test_counted_values_count_as_often_as_they_are_repeated(values: list[float], times: int) -> None:
    found = ExactSum()
    counts = np.arange(len(values)) % 3 + times
    found.add_counted(np.array(values), counts)
    assert found == summed(np.repeat(values, counts).tolist())


@given(POSITIVE, st.integers(1, 3))
def test_the_median_of_counted_values_is_that_of_the_repeated_ones(values: list[float], times: int) -> None:
    found = ExactMedian()
    counts = np.arange(len(values)) % 3 + times
    found.add_counted(np.array(values), counts)
    assert found.median == np.median(np.repeat(values, counts))


@given(POSITIVE, st.integers(1, 7))
def test_the_median_is_that_of_numpy_whatever_the_grouping(values: list[float], cuts: int) -> None:
    assert counted(values, cuts).median == np.median(values)
    assert counted(values, cuts).count == len(values)


@given(st.lists(st.floats(1, 1000), min_size=1, max_size=60, unique=True), st.integers(1, 7))
def test_a_median_of_too_many_different_values_is_near_and_does_not_depend_on_the_grouping(
    values: list[float], cuts: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_sums, "_DIFFERENT", 8)
        found = counted(values)
        assert len(found.different) <= 8
        assert counted(values[::-1], cuts).median == found.median
        assert found.count == len(values)
        assert found.median <= np.median(values)
        assert found.median == pytest.approx(np.median(values), rel=2.0 ** (found.dropped - 51))
