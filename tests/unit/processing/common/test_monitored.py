"""What a monitoring job found: written by the job, read by everything that shows it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from common.drift import Drift, FeatureTest, QualityChange
from common.monitored import Monitored, parse

TEST = FeatureTest("weight", "kolmogorov_smirnov", 0.4, 0.1, drifted=True)
DRIFT = Drift("arn:model/3", baseline_rows=100, rows=50, significance=0.001, tests=(TEST,))
CHANGE = QualityChange("error", "Error", "lower", 1.0, 2.0, 0.5, 1.5, 0.95, 40, degraded=True)
FOUND = Monitored(
    workload="some_workload",
    model_package_arn="arn:model/3",
    since="2026-03-01T00:00:00Z",
    until="2026-03-08T00:00:00Z",
    rows={"batch": 40, "endpoint": 10, "labelled": 40},
    drift=DRIFT,
    quality=CHANGE,
    problems=("One file could not be read.",),
)


def test_what_is_written_is_read_again() -> None:
    assert parse(json.dumps(FOUND.to_json())) == FOUND


def test_a_reader_in_another_language_finds_the_verdicts() -> None:
    written = FOUND.to_json()
    assert (written["drifted"], written["degraded"], written["drift"]["drifted"]) == (True, True, True)


def test_nothing_drifted_and_nothing_degraded_without_a_comparison() -> None:
    silent = replace(FOUND, drift=None, quality=None)
    assert (silent.drifted, silent.degraded) == (False, False)
    assert parse(json.dumps(silent.to_json())) == silent


def test_the_verdict_is_computed_and_not_believed() -> None:
    calm = replace(DRIFT, tests=(replace(TEST, drifted=False),))
    written = replace(FOUND, drift=calm).to_json() | {"drifted": True}
    assert not parse(json.dumps(written)).drifted


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '"x"', "[" * 100_000])
def test_a_file_that_is_none_is_read_as_an_empty_one(text: str) -> None:
    assert parse(text) == Monitored("", "", "", "")


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("rows", {"batch": "many", "endpoint": 3, "labelled": None}, {"endpoint": 3}),
        ("rows", ["batch"], {}),
        ("problems", "a sentence", ()),
        ("problems", ["a sentence", 3], ("a sentence", "")),
        ("drift", "none", None),
        ("quality", {"metric": "error"}, None),
        ("since", 7, ""),
    ],
)
def test_a_malformed_field_is_left_out(field: str, value: Any, expected: Any) -> None:
    assert getattr(parse(json.dumps({**FOUND.to_json(), field: value})), field) == expected
