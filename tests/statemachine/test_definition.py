"""What can be read off the definition itself."""

import json
import re
from typing import Any

import pytest
from statelint.config import Config
from statelint.linter import Linter

from tests.statemachine.machine import DEFINITION, SUBSTITUTIONS, rendered

MACHINE: dict[str, Any] = json.loads(DEFINITION)
TASKS = {name: state for name, state in MACHINE["States"].items() if state["Type"] == "Task"}


def test_the_rendered_definition_is_lint_free() -> None:
    assert Linter.validate(rendered(SUBSTITUTIONS), Config([], False, True)) == []


def test_every_substitution_stands_inside_quotes_so_that_the_file_stays_json() -> None:
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', '""', DEFINITION)
    assert "${" not in outside


def test_the_substitutions_are_the_ones_that_are_known() -> None:
    assert set(re.findall(r"\$\{(\w+)\}", DEFINITION)) == set(SUBSTITUTIONS)


def test_no_expression_uses_what_step_functions_leaves_out_of_jsonata() -> None:
    assert "$eval(" not in DEFINITION


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_time_limit_and_retries(name: str) -> None:
    assert "TimeoutSeconds" in TASKS[name]
    assert TASKS[name]["Retry"]


def test_only_what_leads_somewhere_is_caught() -> None:
    # An execution that ended in a Fail state cannot be redriven: it would enter the Fail state again.
    caught = {
        (name, error, catcher["Next"])
        for name, task in TASKS.items()
        for catcher in task.get("Catch", [])
        for error in catcher["ErrorEquals"]
    }
    assert caught == {
        ("Claim upload", "DynamoDB.ConditionalCheckFailedException", "Already processed"),
        ("Count run", "DynamoDB.ConditionalCheckFailedException", "Too many runs today"),
        ("Check upload", "UploadRefused", "Upload refused"),
        ("Ask for approval", "States.Timeout", "Approval expired"),
    }


@pytest.mark.parametrize("name", TASKS)
def test_every_retry_that_waits_has_jitter_and_a_longest_wait(name: str) -> None:
    for retrier in TASKS[name]["Retry"]:
        if retrier.get("MaxAttempts") != 0:
            assert retrier["JitterStrategy"] == "FULL"
            assert retrier["MaxDelaySeconds"] <= 600


@pytest.mark.parametrize(
    ("name", "task"), [(n, t) for n, t in TASKS.items() if t["Resource"].endswith(".sync")]
)
def test_a_task_waits_longer_than_its_job_may_run(name: str, task: dict[str, Any]) -> None:
    limits = [int(limit) for limit in re.findall(r'"MaxRuntimeInSeconds": (\d+)', json.dumps(task))]
    assert all(task["TimeoutSeconds"] > limit for limit in limits)


def test_every_state_name_is_sentence_case_and_short_enough() -> None:
    for name in MACHINE["States"]:
        assert re.fullmatch(r"[A-Z][^A-Z]*\??", name), name
        assert len(name) <= 80
