"""A baseline is exact for small data, bounded for large, and survives writing and reading."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from common.baseline import LARGEST, BadBaseline, Baseline, Category, Number, read_baseline, summarize
from common.columns import Columns, concatenated, row_count


def number(values: Any) -> Number:
    found = summarize(np.array(values, dtype=np.float64))
    assert isinstance(found, Number)
    return found


def category(values: Sequence[str | None], *, whole: bool = False) -> Category:
    found = summarize(values, whole=whole)
    assert isinstance(found, Category)
    return found


def written(baseline: Baseline) -> str:
    return json.dumps(baseline.statistics(), allow_nan=False)


def test_the_layout_is_model_monitors() -> None:
    columns: Columns = {"n": np.array([1.0, 3.0, np.nan, 2.0]), "c": ["a", None, "b", "a"]}
    found = Baseline.of(columns).statistics()
    buckets = found["features"][0]["numerical_statistics"]["distribution"]["kll"].pop("buckets")
    assert [bucket["count"] for bucket in buckets] == [1, 0, 0, 0, 0, 1, 0, 0, 0, 1]
    assert (buckets[0]["lower_bound"], buckets[-1]["upper_bound"]) == (1.0, 3.0)
    assert found == {
        "version": 0.0,
        "dataset": {"item_count": 4},
        "features": [
            {
                "name": "n",
                "inferred_type": "Integral",
                "numerical_statistics": {
                    "common": {"num_present": 3, "num_missing": 1},
                    "mean": 2.0,
                    "sum": 6.0,
                    "std_dev": pytest.approx((2 / 3) ** 0.5),
                    "min": 1.0,
                    "max": 3.0,
                    "distribution": {
                        "kll": {"sketch": {"parameters": {"c": 0.64, "k": 2048}, "data": [[1.0, 2.0, 3.0]]}}
                    },
                },
            },
            {
                "name": "c",
                "inferred_type": "String",
                "string_statistics": {
                    "common": {"num_present": 3, "num_missing": 1},
                    "distinct_count": 2,
                    "distribution": {
                        "categorical": {"buckets": [{"value": "a", "count": 2}, {"value": "b", "count": 1}]}
                    },
                },
            },
        ],
    }


@given(arrays(np.float64, st.integers(0, 40), elements=st.floats(width=64)))
def test_any_number_survives_writing_and_reading(values: Any) -> None:
    baseline = Baseline.of({"n": values, "c": ["x"] * len(values)})
    assert written(read_baseline(written(baseline))) == written(baseline)


@given(st.lists(st.none() | st.text(), max_size=20))
def test_any_category_survives_writing_and_reading(values: list[str | None]) -> None:
    baseline = Baseline.of({"c": values})
    assert written(read_baseline(written(baseline))) == written(baseline)


@pytest.mark.parametrize("rows", [1, 2048, 2049, 4096, 10_000, 123_457])
def test_a_sketch_is_small_stands_for_all_rows_and_places_quantiles(rows: int) -> None:
    values = np.random.default_rng(rows).normal(size=rows)
    found = number(values)
    assert found.present == rows
    assert len(found.values) <= 2048 + 20
    if rows <= 2048:
        assert found.values.tolist() == sorted(values.tolist())
    ordered = np.sort(values)
    places = np.cumsum(found.weights) / rows
    actual = np.searchsorted(ordered, found.values, side="right") / rows
    assert np.abs(places - actual).max() <= 1 / 2048
    assert (found.smallest, found.largest) == (ordered[0], ordered[-1])


def test_a_sketch_survives_writing_and_reading() -> None:
    baseline = Baseline.of({"n": np.arange(10_001.0)})
    again = read_baseline(written(baseline))
    assert written(again) == written(baseline)
    assert again.features["n"].present == 10_001


def test_the_order_of_the_rows_does_not_change_a_byte() -> None:
    random = np.random.default_rng(3)
    values, texts = random.lognormal(0, 9, 5000), [f"{value}" for value in random.integers(0, 300, 5000)]
    order = random.permutation(5000)
    assert written(Baseline.of({"n": values, "c": texts})) == written(
        Baseline.of({"n": values[order], "c": [texts[place] for place in order]})
    )


def test_a_number_may_be_huge_infinite_or_negative_zero() -> None:
    found = number([np.inf, -np.inf, 1e300, -0.0, np.nan])
    assert (found.smallest, found.largest, found.missing) == (-LARGEST, LARGEST, 1)
    assert np.isfinite([found.mean, found.deviation]).all()
    assert not np.signbit(found.values[1])


@pytest.mark.parametrize(
    ("values", "kind"), [([], "Unknown"), ([np.nan] * 3, "Unknown"), ([1, 2.5], "Fractional")]
)
def test_the_type_is_that_of_the_values(values: list[float], kind: str) -> None:
    assert number(values).inferred_type == kind


def test_categories_are_bounded_and_so_are_their_names() -> None:
    values = [f"{place}".ljust(200, "x") for place in range(5000)] + ["often"] * 3
    found = category(values)
    assert next(iter(found.counts)) == "often"
    assert len(found.counts) == 100
    assert max(map(len, found.counts)) == 100
    assert len(category(values, whole=True).counts) == found.distinct


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: {},
        lambda content: {**content, "features": 7},
        lambda content: {**content, "dataset": {"item_count": 5}},
        lambda content: {**content, "dataset": {"item_count": 1e999}},
        lambda content: {**content, "features": [{"name": "n"}]},
        lambda content: {
            **content,
            "features": [
                {
                    **content["features"][0],
                    "numerical_statistics": {
                        **content["features"][0]["numerical_statistics"],
                        "distribution": {"kll": {"sketch": {"data": [[1.0, None]]}}},
                    },
                }
            ],
        },
    ],
)
def test_a_damaged_file_is_no_baseline(damage: Any) -> None:
    content = Baseline.of({"n": np.array([1.0, 2.0])}).statistics()
    with pytest.raises(BadBaseline):
        read_baseline(json.dumps(damage(content)))


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "null"])
def test_other_texts_are_no_baseline(text: str) -> None:
    with pytest.raises(BadBaseline):
        read_baseline(text)


def test_parts_are_joined_row_by_row() -> None:
    parts: list[Columns] = [{"n": np.array([1.0]), "c": ["a"]}, {"n": np.array([2.0]), "c": [None]}]
    found = concatenated(parts)
    assert np.asarray(found["n"]).tolist() == [1.0, 2.0]
    assert list(found["c"]) == ["a", None]
    assert (row_count(found), row_count({}), dict(concatenated([]))) == (2, 0, {})


def test_columns_of_different_lengths_are_an_error() -> None:
    with pytest.raises(ValueError, match="different numbers of rows"):
        row_count({"a": np.zeros(2), "b": ["x"]})
