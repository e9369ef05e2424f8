"""Run ids and job names are read as the state machine makes them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from runs.names import Attempt, read_attempt, run_id
from tests.unit.functions.conftest import ROOT

ARN = "arn:aws:states:us-east-1:000000000000:execution:mpg-pipeline:9d2f1c3a_c1a9e7d5"


def test_a_run_id_is_made_of_the_start_and_the_execution() -> None:
    # sha256sum of the ARN begins with these digits.
    assert run_id(ARN, datetime(2026, 3, 1, 9, 25, 59, tzinfo=UTC)) == "mpg-20260301-0925-50c671f9"


def test_the_time_in_a_run_id_is_utc() -> None:
    local = datetime.fromisoformat("2026-03-01T00:25:05+02:00")
    assert run_id(ARN, local).startswith("mpg-20260228-2225-")


def test_the_state_machine_composes_run_ids_in_the_same_way() -> None:
    definition: Any = json.loads((ROOT / "statemachine" / "pipeline.asl.json").read_text(encoding="utf-8"))
    made = definition["States"]["Claim upload"]["Assign"]["runId"]
    assert "'[Y0001][M01][D01]-[H01][m01]'" in made
    assert "$substring($hash($states.context.Execution.Id, 'SHA-256'), 0, 8)" in made


@pytest.mark.parametrize(
    ("name", "attempt"),
    [
        ("mpg-20260301-0925-3fa85f64-preprocess-0-0", ("preprocess", 0, 0)),
        ("mpg-20260301-0925-3fa85f64-evaluate-1-12", ("evaluate", 1, 12)),
        ("mpg-20260301-0925-3fa85f64-predict-0-399", ("predict", 0, 399)),
        ("mpg-20260301-0925-3fa85f64-monitor-12-1-0", ("monitor-12", 1, 0)),
        ("mpg-20260301-0925-3fa85f64-0", ("", 0, 0)),
        ("mpg-20260301-0925-3fa85f64-c8", ("", 0, 440)),
        ("mpg-20260301-0925-3fa85f64-1jl", ("", 2, 1)),
    ],
)
def test_a_jobs_name_has_run_step_and_attempt(name: str, attempt: tuple[str, int, int]) -> None:
    assert read_attempt(name) == Attempt("mpg-20260301-0925-3fa85f64", *attempt)


@pytest.mark.parametrize(
    "name",
    ["mpg-experiment", "mpg-20260301-0925-3fa85f64", "mpg-20260301-0925-3fa85f64-0-001-abcdef01", "x-1-1"],
)
def test_other_names_are_no_attempts(name: str) -> None:
    assert read_attempt(name) is None
