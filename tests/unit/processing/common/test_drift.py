"""Drift and the change of a model's error survive JSON; a reader takes whatever lies in a file."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.drift import (
    TESTS,
    Drift,
    FeatureTest,
    Histogram,
    QualityChange,
    read_drift,
    read_quality_change,
)
from common.evaluation import Evaluation
from tests.evaluation import CHANGE, DRIFT, DRIFTED

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
)
SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@st.composite
def histograms(draw: Any) -> Histogram:
    baseline = draw(SHARES)
    size = len(baseline)
    current = draw(st.lists(st.floats(0, 1), min_size=size, max_size=size))
    if draw(st.booleans()):
        return Histogram([], draw(st.lists(st.text(), min_size=size, max_size=size)), baseline, current)
    return Histogram(
        sorted(draw(st.lists(NUMBERS, min_size=size + 1, max_size=size + 1))), [], baseline, current
    )


TEST = st.builds(
    FeatureTest,
    name=st.text(min_size=1),
    test=st.sampled_from(sorted(TESTS)),
    statistic=NUMBERS,
    threshold=NUMBERS,
    drifted=st.booleans(),
    histogram=st.none() | histograms(),
)
COUNTS = st.integers(0, 10**9)


@given(
    st.builds(
        Drift,
        model_package_arn=st.text(),
        baseline_rows=COUNTS,
        rows=COUNTS,
        significance=st.floats(0, 1),
        tests=st.lists(TEST, max_size=6).map(tuple),
        problem=st.text(),
        left_out=COUNTS,
    )
)
def test_a_drift_survives_json(drift: Drift) -> None:
    assert read_drift(json.loads(json.dumps(drift.to_json(), allow_nan=False))) == drift


def test_a_change_of_the_error_survives_json() -> None:
    change = QualityChange("f1", "F1", "higher", 0.9, 0.8, -0.15, -0.05, 0.95, 60, degraded=True)
    assert read_quality_change(json.loads(json.dumps(asdict(change)))) == change


@given(ANYTHING)
def test_any_content_can_be_read(content: object) -> None:
    read_drift(content)
    read_quality_change(content)


@given(field=st.sampled_from([*DRIFT, *DRIFT["tests"][0], *DRIFT["tests"][0]["histogram"]]), value=ANYTHING)
def test_any_value_in_any_place_can_be_read_and_shortened(field: str, value: object) -> None:
    test = {**DRIFT["tests"][0], "histogram": {**DRIFT["tests"][0]["histogram"], field: value}, field: value}
    found = read_drift({**DRIFT, "tests": [test], field: value})
    assert found is not None
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize("content", [None, {}, [], "drift", 1])
def test_what_is_no_drift_reads_as_none(content: object) -> None:
    assert read_drift(content) is None
    assert read_quality_change(content) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": 7},
        {"statistic": None},
        {"statistic": float("nan")},
        {"threshold": float("inf")},
        {"threshold": "0.1"},
        {"statistic": 10**400},
    ],
    ids=str,
)
def test_a_malformed_test_is_left_out(changes: dict[str, Any]) -> None:
    good = DRIFT["tests"][0]
    found = read_drift({**DRIFT, "tests": [{**good, **changes}, good]})
    assert found is not None
    assert len(found.tests) == 1


@pytest.mark.parametrize("drifted", ["true", 1, None])
def test_only_a_true_says_drifted(drifted: object) -> None:
    found = read_drift({**DRIFT, "tests": [{**DRIFT["tests"][0], "drifted": drifted}]})
    assert found is not None
    assert not found.drifted


@pytest.mark.parametrize(
    "changes",
    [
        {"edges": [1, 2]},
        {"edges": [8, 7, 6, 5, 4]},
        {"edges": [8, None, 16.4, 20.6, 24.8]},
        {"edges": []},
        {"labels": ["a"]},
        {"baseline": [0.5, 0.5, 0, -0.1]},
        {"current": [0.5, 0.5, 0, 1e300]},
        {"current": [0.5, 0.5, 0, float("nan")]},
        {"current": [0.5]},
    ],
    ids=str,
)
def test_a_malformed_histogram_leaves_the_test_without_one(changes: dict[str, Any]) -> None:
    good = DRIFT["tests"][0]
    found = read_drift({**DRIFT, "tests": [{**good, "histogram": {**good["histogram"], **changes}}]})
    assert found is not None
    assert [test.histogram for test in found.tests] == [None]


@pytest.mark.parametrize("name", ["at_approval", "now", "low", "high", "level", "rows"])
@pytest.mark.parametrize("value", [None, "1", float("nan"), True])
def test_a_change_without_one_of_its_numbers_is_none(name: str, value: object) -> None:
    assert read_quality_change({**CHANGE, name: value}) is None


def test_an_interval_upside_down_is_no_change() -> None:
    assert read_quality_change({**CHANGE, "low": 2, "high": 1}) is None


def test_features_that_drifted_are_named_once() -> None:
    found = read_drift(DRIFT)
    assert found is not None
    assert (found.drifted, found.drifted_features) == (True, ["weight", "origin"])


def test_the_feature_that_exceeds_a_threshold_most_is_named_first() -> None:
    found = [("a", 0.3, 0.2), ("b", 0.5, 0.1), ("a", 3.0, 0.5), ("c", 0.1, 0.0), ("d", 0.1, 0.2)]
    tests = [FeatureTest(name, "missing", high, limit, high > limit) for name, high, limit in found]
    assert Drift("arn", 1, 1, 0.001, tests).drifted_features == ["c", "a", "b"]


def many(count: int, drifted: int) -> Drift:
    """So many tests, of which the last ones drifted."""
    histogram = Histogram([n * 1.2345678 for n in range(21)], [], [0.0476190476] * 20, [0.0476190476] * 20)
    tests = [
        FeatureTest(f"feature {n}", "wasserstein", 0.123456789, 0.1, n >= count - drifted, histogram)
        for n in range(count)
    ]
    return Drift("arn", 1, 1, 0.001, tests)


def test_a_file_and_a_record_have_room_for_a_drift_of_thousands_of_features() -> None:
    drift = many(5000, 2)
    written = drift.to_json()
    assert len(json.dumps(written, indent=2)) < 500_000
    assert len(written["tests"]) + written["left_out"] == 5000
    assert sum(test["histogram"] is not None for test in written["tests"]) > 50
    recorded = drift.without_histograms()
    assert len(json.dumps(recorded.to_json())) < 30_000
    for short in (read_drift(written), recorded):
        assert short is not None
        assert short.drifted_features == ["feature 4998", "feature 4999"]
        assert [test.name for test in short.tests][:2] == ["feature 0", "feature 1"]


def test_a_record_is_the_same_whether_it_was_made_from_the_drift_or_from_its_file() -> None:
    drift = many(700, 300)
    assert Evaluation.from_json(Evaluation(drift=drift).to_json()).drift is not None
    read = read_drift(drift.to_json())
    assert read is not None
    assert read.without_histograms() == drift.without_histograms()


def test_an_evaluation_carries_both_and_its_summary_no_histogram() -> None:
    evaluation = Evaluation.from_json(DRIFTED)
    assert evaluation.drift == read_drift(DRIFT)
    assert evaluation.champion is not None
    assert evaluation.champion.change == read_quality_change(CHANGE)
    assert Evaluation.from_json(json.loads(json.dumps(evaluation.to_json()))) == evaluation
    summary = Evaluation.from_json(evaluation.summary())
    assert evaluation.drift is not None
    assert summary.drift == evaluation.drift.without_histograms()
    assert replace(summary, drift=None, figures=()) == replace(evaluation, drift=None, figures=())
