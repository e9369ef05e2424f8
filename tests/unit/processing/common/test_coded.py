"""Numbers as codes into a table of values are the same numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.coded import as_table, concatenate, encode

MISSING = float("nan")
DECIMALS = st.integers(0, 300).map(lambda number: number / 10)
NUMBERS = st.lists(DECIMALS | st.just(MISSING), max_size=400) | st.lists(
    DECIMALS | st.floats() | st.just(MISSING), max_size=40
)


def same(found: object, expected: object) -> bool:
    return np.array_equal(np.asarray(found), np.asarray(expected, np.float64), equal_nan=True)


@given(NUMBERS)
def test_codes_stand_for_the_same_numbers_in_a_table_that_is_not_longer(numbers: list[float]) -> None:
    found = encode(np.array(numbers))
    assert same(found.numbers, numbers)
    assert len(found.values) <= len(found) == len(numbers)
    assert found.is_missing.tolist() == np.isnan(numbers).tolist()


@pytest.mark.parametrize(
    ("numbers", "length"),
    [
        ([3.0, 4.0] * 50, 1 + 5),
        ([3.0, MISSING] * 50, 1 + 4),
        ([0.3, 0.4] * 50, 1 + 5),
        ([0.03, 0.04] * 50, 1 + 5),
        ([0.1 + 0.2, 0.4] * 50, 100),
        ([-1.0, 1.0] * 50, 100),
        ([200.0, 1.0] * 50, 100),
        ([float("inf"), 1.0] * 50, 100),
        ([MISSING] * 100, 100),
        ([], 0),
    ],
)
def test_only_few_multiples_of_a_fraction_have_a_short_table(numbers: list[float], length: int) -> None:
    found = encode(np.array(numbers))
    assert len(found.values) == length
    assert same(found.numbers, numbers)


def test_most_codes_take_a_byte() -> None:
    assert encode(np.arange(300.0) % 250).codes.dtype == np.uint8
    assert encode(np.arange(300.0)[:299] % 257).codes.dtype == np.uint16


@given(NUMBERS, st.data())
def test_any_rows_have_their_numbers_and_no_longer_table(numbers: list[float], data: st.DataObject) -> None:
    rows = np.array(
        data.draw(st.lists(st.integers(0, len(numbers) - 1)) if numbers else st.just([])), np.intp
    )
    found = encode(np.array(numbers, np.float64))[rows]
    assert same(found.numbers, np.array(numbers, np.float64)[rows])
    assert len(found.values) <= max(len(found), 0)


@given(st.lists(NUMBERS, min_size=1, max_size=4))
def test_columns_are_joined_in_their_order(columns: list[list[float]]) -> None:
    found = concatenate([encode(np.array(column, np.float64)) for column in columns])
    assert same(found.numbers, [number for column in columns for number in column])
    assert len(found.values) <= len(found)


def test_columns_with_tables_of_the_same_fraction_share_the_longest_one() -> None:
    short, long = encode(np.arange(100.0) % 10), encode(np.arange(100.0) % 50)
    assert concatenate([short, long]).values is long.values


@given(NUMBERS)
def test_each_value_that_is_not_missing_is_counted(numbers: list[float]) -> None:
    for column in (encode(np.array(numbers, np.float64)), as_table(np.array(numbers, np.float64))):
        values, counts = column.counted()
        known = np.array([number for number in numbers if number == number], np.float64)
        assert same(np.sort(np.repeat(values, counts)), np.sort(known))
        assert not len(counts) or counts.min() > 0
