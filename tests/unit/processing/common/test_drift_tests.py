"""Data that differs is found, data that does not is not, and too little of it is not judged."""

import json

import numpy as np
import pytest

from benchmarks.false_alarms import cars, chosen, drifted, hard, kilograms, resamples, years_apart
from common.baseline import Baseline, read_baseline
from common.columns import Columns
from common.drift import JENSEN_SHANNON, KOLMOGOROV_SMIRNOV, MISSING, WASSERSTEIN, Drift, read_drift
from common.drift_tests import FEWEST_ROWS, compare

ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package/cars/7"
RANDOM = np.random.default_rng(11)


def found(before: Columns, now: Columns) -> Drift:
    return compare(Baseline.of(before), now, ARN)


def test_cars_of_1970_to_1976_are_not_those_of_1977_to_1982() -> None:
    assert {"model_year", "weight", "displacement", "prediction"} < set(drifted(*years_apart()))


def test_kilograms_for_pounds_are_found_in_their_column_alone() -> None:
    assert drifted(*kilograms()) == ["weight"]


def test_resamples_of_the_same_rows_raise_no_alarm() -> None:
    random = np.random.default_rng(0)
    for columns in (cars(), hard(random, 400)):
        for _ in range(10):
            for kind, before, now in resamples(columns, random):
                assert drifted(before, now) == [], kind


def test_the_file_of_a_baseline_gives_the_same_tests() -> None:
    before, now = cars(), chosen(cars(), np.arange(100))
    again = read_baseline(json.dumps(Baseline.of(before).statistics()))
    assert compare(again, now, ARN) == found(before, now)


def test_the_result_survives_json() -> None:
    drift = found(cars(), chosen(cars(), np.arange(100)))
    assert drift.model_package_arn == ARN
    assert (drift.baseline_rows, drift.rows) == (398, 100)
    assert json.dumps(drift.to_json()) == json.dumps(read_drift(drift.to_json()).to_json())  # type: ignore[union-attr]


def test_each_feature_has_its_tests_and_one_histogram() -> None:
    drift = found(
        {"n": RANDOM.normal(size=50), "c": ["a", "b"] * 25}, {"n": RANDOM.normal(size=40), "c": ["a"] * 40}
    )
    assert [(test.name, test.test, test.histogram is None) for test in drift.tests] == [
        ("n", KOLMOGOROV_SMIRNOV, False),
        ("n", WASSERSTEIN, True),
        ("n", MISSING, True),
        ("c", JENSEN_SHANNON, False),
        ("c", MISSING, True),
    ]
    shown = drift.tests[3].histogram
    assert shown is not None
    assert (shown.labels, shown.baseline, shown.current) == (["a", "b"], [0.5, 0.5], [1.0, 0.0])
    numbers = drift.tests[0].histogram
    assert numbers is not None
    assert len(numbers.edges) == len(numbers.baseline) + 1
    assert sum(numbers.baseline) == pytest.approx(1, abs=1e-5)


def test_more_tests_raise_the_thresholds() -> None:
    values = RANDOM.normal(size=300)
    one = found({"a": values}, {"a": values}).tests[0]
    many = {f"{place}": values for place in range(20)}
    assert found(many, many).tests[0].threshold > one.threshold


def test_a_distance_too_small_to_count_is_no_drift_however_many_the_rows() -> None:
    before, now = RANDOM.normal(size=10_000), RANDOM.normal(0.15, size=10_000)
    tests = found({"n": before}, {"n": now}).tests
    assert [test.drifted for test in tests] == [False] * 3
    assert tests[0].threshold == 0.1
    assert compare(Baseline.of({"n": before}), {"n": now}, ARN, distance=0.01).drifted


def test_a_shift_of_half_a_deviation_is_found_in_a_thousand_rows() -> None:
    tests = found({"n": RANDOM.normal(size=1000)}, {"n": RANDOM.normal(0.5, size=1000)}).tests
    assert [test.drifted for test in tests] == [True, True, False]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (["a", "b"] * 200, ["a", "c"] * 200),
        (["a"] * 400, ["never seen before"] * 400),
    ],
)
def test_new_categories_are_found(before: list[str | None], now: list[str | None]) -> None:
    assert found({"c": before}, {"c": now}).drifted_features == ["c"]


def test_values_that_are_missing_now_are_found() -> None:
    values = RANDOM.normal(size=400)
    now = np.where(np.arange(400) % 3 == 0, np.nan, values)
    tests = found({"n": values, "c": ["a"] * 400}, {"n": now, "c": ["a"] * 200 + [None] * 200}).tests
    assert [(test.name, test.test) for test in tests if test.drifted] == [("n", MISSING), ("c", MISSING)]


@pytest.mark.parametrize(
    ("before", "now", "tests"),
    [
        ([1.0] * 40, [1.0] * 40, []),
        ([1.0] * 40, [2.0] * 40, [KOLMOGOROV_SMIRNOV, WASSERSTEIN]),
        ([np.nan] * 40, [np.nan] * 40, []),
        ([np.nan] * 400, [1.0] * 400, [MISSING]),
        ([1.0] * 400, [np.nan] * 400, [MISSING]),
        ([1e308, -1e308] * 200, [np.inf] * 400, [KOLMOGOROV_SMIRNOV, WASSERSTEIN]),
        ([1e-300] * 400, [2e-300] * 400, [KOLMOGOROV_SMIRNOV, WASSERSTEIN]),
        ([0.0] * 399 + [1e12], [0.0] * 400, []),
    ],
)  # fmt: skip
def test_odd_columns_are_judged_soundly(before: list[float], now: list[float], tests: list[str]) -> None:
    drift = found({"n": np.array(before)}, {"n": np.array(now)})
    assert [test.test for test in drift.tests if test.drifted] == tests
    json.dumps(drift.to_json(), allow_nan=False)


@pytest.mark.parametrize(("before", "now"), [(400, FEWEST_ROWS - 1), (FEWEST_ROWS - 1, 400), (0, 0)])
def test_too_few_rows_are_said_and_not_judged(before: int, now: int) -> None:
    drift = found({"n": np.zeros(before)}, {"n": np.ones(now)})
    assert (drift.tests, drift.drifted) == ((), False)
    assert drift.problem == (
        f"There are too few rows to compare: {now} now and {before} in the model's baseline; 30 of each are needed."
    )


def test_features_that_the_baseline_does_not_know_are_left_out() -> None:
    rows = np.zeros(50)
    assert {test.name for test in found({"a": rows, "b": rows}, {"a": rows, "c": rows}).tests} == {"a"}
    other = found({"a": rows, "b": ["x"] * 50}, {"b": rows, "c": rows})
    assert other.problem == "The model's baseline describes other features than these rows have."
