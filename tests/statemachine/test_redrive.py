"""A failed execution resumes where it failed, and repeats nothing that succeeded."""

from typing import Any

import pytest
from ministack.services import stepfunctions

from local.embedded.task_errors import TaskError
from local.embedded.tasks import TaskCall
from tests.statemachine.machine import CHAMPION, EXECUTION, GOOD_DAY, Answer, failed_job, redrive, run
from tests.statemachine.test_branches import GOOD_DAY_STATES

CHAMPION_FOUND: dict[str, Answer] = {
    "Find champion": {"ModelPackageSummaryList": [{"ModelPackageArn": CHAMPION}]}
}
TASKS = [name for name in GOOD_DAY_STATES if not name.endswith("?")]
# A run goes on without these.
FAILING = [
    name
    for name in TASKS
    if not name.startswith(("Find prepared", "Find tuned", "Find evaluation", "Note accepted", "Remember"))
]


@pytest.mark.parametrize("failing", FAILING)
def test_a_redrive_resumes_at_the_task_that_failed(failing: str) -> None:
    assert (
        run({failing: TaskError("States.Timeout" if failing == "Preprocess" else "Broken", "x")}).status
        == "FAILED"
    )
    ending = redrive()
    assert ending.output["outcome"] == "approved"
    assert [call.state for call in ending.calls] == TASKS[TASKS.index(failing) :]


def test_a_redriven_job_has_a_name_of_its_own() -> None:
    first = run({"Evaluate": failed_job("out of memory")})
    second = redrive()
    names = [found.arguments("Evaluate")["ProcessingJobName"] for found in (first, second)]
    assert [name[-4:] for name in names] == ["-0-0", "-1-0"]


def test_a_redrive_keeps_the_run_id_and_what_was_found_before() -> None:
    run({**CHAMPION_FOUND, "Evaluate": failed_job("out of memory")})
    ending = redrive()
    assert "champion" in [given["InputName"] for given in ending.arguments("Evaluate")["ProcessingInputs"]]
    assert ending.arguments("Evaluate")["ProcessingJobName"].startswith(ending.output["run_id"])


def test_a_call_that_returns_after_the_execution_was_stopped_leaves_no_variables_to_a_redrive() -> None:
    def stopped(call: TaskCall) -> Any:
        stepfunctions._executions[EXECUTION]["status"] = "ABORTED"
        return GOOD_DAY[call.state]

    assert run({**CHAMPION_FOUND, "Find champion model": stopped}).status == "ABORTED"
    inputs = redrive().arguments("Evaluate")["ProcessingInputs"]
    assert [given["InputName"] for given in inputs].count("champion") == 1


def test_a_redrive_asks_again_with_a_new_token_and_without_registering_again() -> None:
    first = run({"Ask for approval": TaskError("NobodyToAsk", "{}")})
    second = redrive()
    tokens = {found.arguments("Ask for approval")["Payload"]["task_token"] for found in (first, second)}
    assert len(tokens) == 2
    assert "Register model" not in [call.state for call in second.calls]


def test_a_second_redrive_continues_the_count() -> None:
    run({"Tune": failed_job("no capacity")})
    redrive({"Tune": failed_job("no capacity")})
    assert (
        redrive(count=2).arguments("Tune")["HyperParameterTuningJobName"].endswith("-1jk")
    )  # 2000 in base 36


def test_a_redrive_counts_on_the_day_on_which_the_run_began() -> None:
    first = run({"Count run": TaskError("DynamoDB.ThrottlingException", "slow down")})
    assert redrive().arguments("Count run") == first.arguments("Count run")


def test_a_refused_upload_stays_refused() -> None:
    run({"Check upload": TaskError("UploadRefused", '{"errorMessage": "no rows"}')})
    ending = redrive()
    assert (ending.error, ending.cause, ending.calls) == ("UploadRefused", "no rows", [])
