"""What the page of the embedded AWS reads out of a history: branches, iterations, retries, caught errors."""

import json
from typing import Any

from local.embedded import seams
from local.embedded.pages.progress import CAUGHT, FAILED, STOPPED, SUCCEEDED, Progress, follow, status_of
from local.embedded.task_errors import TaskError
from tests.statemachine.machine import TASKS, Answer

ROLE = "arn:aws:iam::000000000000:role/machine"


def task(**changes: Any) -> dict[str, Any]:
    usual = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": {"FunctionName": "f"}}
    return usual | ({} if "Next" in changes else {"End": True}) | changes


def branch(**states: Any) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def progress(states: dict[str, Any], answers: dict[str, Answer], name: str) -> Progress:
    TASKS.answer(answers)
    definition = {"QueryLanguage": "JSONata", **branch(**states)}
    return follow(seams.run_execution(json.dumps(definition), name, "[1, 2]", ROLE)["events"])


def statuses(found: Progress) -> dict[str, str]:
    return {state: status_of(visits) for state, visits in found.by_state().items()}


def test_events_of_branches_that_run_at_the_same_time_belong_to_their_states() -> None:
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}]
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "After"}]
    both = {
        "Type": "Parallel",
        "Next": "Last",
        "Branches": [
            branch(Flaky=task(Retry=retry, Next="Then"), Then={"Type": "Pass", "End": True}),
            branch(Caught=task(Catch=catch, Next="After"), After={"Type": "Succeed"}),
        ],
    }
    problem = TaskError("Slow", "too slow")
    answers: dict[str, Answer] = {"Flaky": [problem, problem, {"a": 1}], "Caught": problem}
    found = progress({"Both": both, "Last": {"Type": "Succeed"}}, answers, "branches")
    assert statuses(found) == {
        **dict.fromkeys(("Both", "Flaky", "Then", "After", "Last"), SUCCEEDED),
        "Caught": CAUGHT,
    }
    by_state = {state: visits[0] for state, visits in found.by_state().items()}
    assert {state: visit.retries for state, visit in by_state.items() if visit.retries} == {"Flaky": 2}
    assert (by_state["Caught"].error, by_state["Caught"].cause) == ("Slow", "too slow")
    assert found.ways == {("Flaky", "Then", False), ("Caught", "After", True), ("Both", "Last", False)}
    assert by_state["Then"].around is by_state["Both"]


def test_a_state_in_which_a_caught_branch_failed_has_failed() -> None:
    both = {
        "Type": "Parallel",
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Last"}],
        "Next": "Last",
        "Branches": [branch(Broken=task()), branch(Fine=task())],
    }
    answers: dict[str, Answer] = {"Broken": TaskError("Bad", "no"), "Fine": {"a": 1}}
    found = progress({"Both": both, "Last": {"Type": "Succeed"}}, answers, "caught-branch")
    assert statuses(found) == {"Both": CAUGHT, "Broken": FAILED, "Fine": SUCCEEDED, "Last": SUCCEEDED}
    assert found.by_state()["Both"][0].error == "Bad"


def test_each_iteration_is_a_visit_and_one_that_failed_is_shown() -> None:
    each = {"Type": "Map", "End": True, "ItemProcessor": branch(One=task())}
    answers: dict[str, Answer] = {"One": [TaskError("Bad", "no"), {"a": 1}]}
    found = progress({"Each": each}, answers, "iterations")
    visits = found.by_state()["One"]
    assert len(visits) == 2
    assert (status_of(visits), statuses(found)["Each"]) == (FAILED, FAILED)


def test_a_redriven_state_has_a_visit_that_failed_and_one_that_succeeded() -> None:
    first = progress({"Only": task()}, {"Only": [TaskError("Bad", "no"), {"a": 1}]}, "redriven")
    assert statuses(first) == {"Only": FAILED}
    record = seams.redrive_execution("arn:aws:states:us-east-1:000000000000:execution:pipeline:redriven")
    visits = follow(record["events"]).by_state()["Only"]
    assert [visit.status for visit in visits] == [FAILED, SUCCEEDED]
    assert status_of(visits) == SUCCEEDED


def test_a_state_during_which_the_execution_was_stopped_has_neither_failed_nor_succeeded() -> None:
    entered = {"id": 1, "type": "TaskStateEntered", "timestamp": "2026-01-05T12:00:00Z"}
    aborted = {"id": 2, "type": "ExecutionAborted", "timestamp": "2026-01-05T12:00:30Z"}
    found = follow([entered | {"stateEnteredEventDetails": {"name": "Long", "input": "{}"}}, aborted])
    assert statuses(found) == {"Long": STOPPED}
    assert found.visits[0].seconds("") == 30.0
