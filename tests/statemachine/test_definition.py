"""Properties of the definitions themselves."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from statelint.config import Config
from statelint.linter import Linter

from tests.statemachine import machine, monitor, release
from tests.statemachine.machine import rendered

DEFINITIONS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "pipeline": (machine.DEFINITION, machine.SUBSTITUTIONS),
    "release": (release.DEFINITION, release.SUBSTITUTIONS),
    "monitor": (monitor.DEFINITION, monitor.SUBSTITUTIONS),
}
MACHINES: dict[str, Any] = {name: json.loads(definition) for name, (definition, _) in DEFINITIONS.items()}


def _states(machine: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, state in machine["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from _states(state["ItemProcessor"])


STATES = {(name, state): found for name, made in MACHINES.items() for state, found in _states(made)}
TASKS = {place: state for place, state in STATES.items() if state["Type"] == "Task"}
# statelint computes a condition from the literals that states assign, and then takes the result for the condition.
COMPUTED = "Condition is true but should be a String"


@pytest.mark.parametrize(("definition", "substitutions"), DEFINITIONS.values(), ids=DEFINITIONS)
def test_the_rendered_definition_is_lint_free(definition: str, substitutions: Mapping[str, str]) -> None:
    problems = Linter.validate(rendered(substitutions, definition), Config([], False, True))
    assert [problem for problem in problems if COMPUTED not in problem] == []


@pytest.mark.parametrize(("definition", "substitutions"), DEFINITIONS.values(), ids=DEFINITIONS)
def test_every_substitution_is_known_and_inside_quotes_so_that_the_file_stays_json(
    definition: str, substitutions: Mapping[str, str]
) -> None:
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', '""', definition)
    assert "${" not in outside
    assert set(re.findall(r"\$\{(\w+)\}", definition)) == set(substitutions)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_no_expression_uses_what_step_functions_leaves_out_of_jsonata(name: str) -> None:
    assert "$eval(" not in DEFINITIONS[name][0]


@pytest.mark.parametrize("place", TASKS, ids=" ".join)
def test_every_task_has_a_time_limit_and_retries(place: tuple[str, str]) -> None:
    assert "TimeoutSeconds" in TASKS[place]
    assert TASKS[place]["Retry"]


def test_the_pipeline_catches_only_errors_with_a_final_outcome_and_those_of_reuse_and_notes() -> None:
    # An execution that ended in a Fail state cannot be redriven: it would enter the Fail state again.
    caught = {
        (name, error, catcher["Next"])
        for (of, name), task in TASKS.items()
        if of == "pipeline"
        for catcher in task.get("Catch", [])
        for error in catcher["ErrorEquals"]
    }
    assert caught == {
        ("Claim upload", "DynamoDB.ConditionalCheckFailedException", "Already processed"),
        ("Count run", "DynamoDB.ConditionalCheckFailedException", "Too many runs today"),
        ("Check upload", "UploadRefused", "Upload refused"),
        ("Check upload", "RunTooExpensive", "Run too expensive"),
        ("Ask for approval", "States.Timeout", "Approval expired"),
        # Reuse saves time; without it, the run does the step itself.
        ("Find prepared data", "States.ALL", "Prepare data, or reuse?"),
        ("Find tuned model", "States.ALL", "Tune, or reuse?"),
        ("Find evaluation", "States.ALL", "Evaluate, or reuse?"),
        ("Remember results", "States.ALL", "Ask for approval"),
        # A retraining does without what cannot be noted.
        ("Note accepted upload", "States.ALL", "Remember results"),
    }


def test_a_release_catches_every_error_but_those_of_its_records() -> None:
    # What fails before the claim or after the end is recorded has nothing to set back, or has done so.
    uncaught = {
        name
        for (of, name), task in TASKS.items()
        if of == "release"
        and not any(catcher["ErrorEquals"] == ["States.ALL"] for catcher in task.get("Catch", []))
    }
    assert uncaught == {"Read package", "Claim package", "Mark live", "Record ending", "Free endpoint"}


@pytest.mark.parametrize("place", TASKS, ids=" ".join)
def test_every_retry_has_jitter_and_a_maximum_wait(place: tuple[str, str]) -> None:
    for retrier in TASKS[place]["Retry"]:
        if retrier.get("MaxAttempts") != 0:
            assert retrier["JitterStrategy"] == "FULL"
            assert retrier["MaxDelaySeconds"] <= 600


@pytest.mark.parametrize(
    ("name", "task"),
    [(n, t) for (of, n), t in TASKS.items() if of == "pipeline" and t["Resource"].endswith(".sync")],
)
def test_a_task_waits_longer_than_its_job_may_run(name: str, task: dict[str, Any]) -> None:
    [limit] = re.findall(
        r"\$min\(\[.*, (\d+)\]\)", STATES["pipeline", "Claim upload"]["Assign"]["jobSeconds"]
    )
    assert task["TimeoutSeconds"] > int(limit)


def test_monitoring_waits_longer_than_its_job_may_run() -> None:
    task = STATES["monitor", "Monitor"]
    assert task["TimeoutSeconds"] > task["Arguments"]["StoppingCondition"]["MaxRuntimeInSeconds"]


def test_a_look_at_a_workload_catches_every_error_so_that_the_next_one_has_its_turn() -> None:
    uncaught = {
        name
        for (of, name), task in TASKS.items()
        if of == "monitor"
        and not any(catcher["ErrorEquals"] == ["States.ALL"] for catcher in task.get("Catch", []))
    }
    assert uncaught == {"Plan monitoring"}


def test_every_state_name_is_sentence_case_and_short_enough() -> None:
    for _, name in STATES:
        assert re.fullmatch(r"[A-Z][^A-Z]*\??", name), name
        assert len(name) <= 80
