from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.sagemaker.engines.search_space import Range, Scaling, Space, format_value, read_ranges


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    kind = draw(st.sampled_from(["continuous", "integer", "categorical"]))
    if kind == "categorical":
        return Range(
            "x", "categorical", values=tuple(draw(st.lists(st.text(), min_size=1, unique=True, max_size=5)))
        )
    scaling: Scaling = draw(st.sampled_from(["Auto", "Linear", "Logarithmic"]))
    low = 1.0 if scaling == "Logarithmic" else -5.0
    if kind == "integer":
        first, second = (draw(st.integers(int(low), 2000)) for _ in range(2))
        return Range("x", "integer", min(first, second), max(first, second), scaling)
    if draw(st.booleans()):
        scaling, bounds = "ReverseLogarithmic", st.floats(0, 0.999999)
    else:
        bounds = st.floats(1e-9 if scaling == "Logarithmic" else -1e6, 1e9)
    a, b = draw(bounds), draw(bounds)
    return Range("x", "continuous", min(a, b), max(a, b), scaling)


@given(ranges(), st.floats(0, 1))
def test_every_number_of_0_to_1_is_a_value_within_the_range(each: Range, unit: float) -> None:
    value = each.at(unit)

    if isinstance(value, str):
        assert value in each.values
    else:
        assert each.minimum <= value <= each.maximum
        assert isinstance(value, int) == (each.kind == "integer")
    assert all(-1e-6 <= number <= 1 + 1e-6 for number in each.encode(value))
    assert len(each.encode(value)) == each.width


@pytest.mark.parametrize(
    ("scaling", "low", "high", "middle"),
    [
        ("Linear", 0.0, 10.0, 5.0),
        ("Logarithmic", 0.01, 10.0, math.sqrt(0.1)),
        ("ReverseLogarithmic", 0.9, 0.999, 0.99),
        ("Auto", 0.01, 10.0, math.sqrt(0.1)),
        ("Auto", 1.0, 10.0, 5.5),
        ("Auto", 0.0, 1000.0, 500.0),
    ],
)
def test_the_scaling_decides_where_the_middle_is(
    scaling: Scaling, low: float, high: float, middle: float
) -> None:
    each = Range("x", "continuous", low, high, scaling)

    assert each.at(0.5) == pytest.approx(middle)
    assert each.encode(middle) == pytest.approx([0.5])


def test_the_ends_of_an_integer_range_are_as_likely_as_the_rest() -> None:
    each = Range("depth", "integer", 1, 4, "Linear")
    values = [each.at((n + 0.5) / 400) for n in range(400)]

    assert {value: values.count(value) for value in values} == {1: 100, 2: 100, 3: 100, 4: 100}


def test_a_finite_space_knows_its_points() -> None:
    space = Space(
        (Range("depth", "integer", 2, 4), Range("booster", "categorical", values=("gbtree", "dart")))
    )

    assert space.size == 6
    assert len({space.key(point) for point in space.points()}) == 6
    assert math.isinf(Space((*space.ranges, Range("eta", "continuous", 0, 1))).size)


def test_the_ranges_of_a_request_are_read() -> None:
    request: dict[str, list[dict[str, Any]]] = {
        "ContinuousParameterRanges": [
            {"Name": "alpha", "MinValue": "0.01", "MaxValue": "1e1", "ScalingType": "Logarithmic"}
        ],
        "IntegerParameterRanges": [{"Name": "max_depth", "MinValue": "2", "MaxValue": "10"}],
        "CategoricalParameterRanges": [{"Name": "booster", "Values": ["gbtree", "dart", "gbtree"]}],
    }

    assert read_ranges(request) == (
        Range("alpha", "continuous", 0.01, 10.0, "Logarithmic"),
        Range("max_depth", "integer", 2, 10, "Auto"),
        Range("booster", "categorical", values=("gbtree", "dart")),
    )


@pytest.mark.parametrize(
    ("member", "given", "message"),
    [
        (
            "ContinuousParameterRanges",
            {"MinValue": "low", "MaxValue": "1"},
            'the bound "low", which is not continuous',
        ),
        ("ContinuousParameterRanges", {"MinValue": "0", "MaxValue": "inf"}, "not finite"),
        (
            "IntegerParameterRanges",
            {"MinValue": "1.5", "MaxValue": "3"},
            'the bound "1.5", which is not integer',
        ),
        ("IntegerParameterRanges", {"MinValue": "4", "MaxValue": "3"}, "MinValue 4 above MaxValue 3"),
        (
            "ContinuousParameterRanges",
            {"MinValue": "0", "MaxValue": "1", "ScalingType": "Logarithmic"},
            "needs a MinValue above 0",
        ),
        (
            "ContinuousParameterRanges",
            {"MinValue": "0", "MaxValue": "1", "ScalingType": "ReverseLogarithmic"},
            "not continuous within 0 <= x < 1",
        ),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(member: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_ranges({member: [{"Name": "x", **given}]})


def test_a_name_may_have_one_range_only() -> None:
    with pytest.raises(ValueError, match="x has more than one range"):
        read_ranges(
            {
                "IntegerParameterRanges": [{"Name": "x", "MinValue": "1", "MaxValue": "2"}],
                "CategoricalParameterRanges": [{"Name": "x", "Values": ["a"]}],
            }
        )


@pytest.mark.parametrize(("value", "text"), [(5, "5"), (0.1, "0.1"), (1e-05, "1e-05"), ("gbtree", "gbtree")])
def test_values_become_text_that_reads_back(value: float | int | str, text: str) -> None:
    assert format_value(value) == text
