"""A run survives any call that fails for a while; a call that fails for good is reported, and a redrive resumes."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import eventually
from tests.faults.calls import CALLS, COSTS, JOBS, LAMBDAS, TASKS, WAITED_FOR, Call
from tests.faults.pipeline import Pipeline
from tests.faults.run import RUN_SECONDS

SLOW = "import time; time.sleep(600)"
CAN_BE_LOST = [*LAMBDAS, *JOBS]
# The fault of the first call of each kind. A task's own call is not lost: AWS makes those.
ONCE: dict[str, Callable[[Call], dict[str, Any]]] = {
    "throttled": lambda call: {"error": call.throttled},
    "broken": lambda call: {"error": call.broken, "status": 500},
    # A mail whose response is lost is sent again: see tests/faults/functions.
    "lost": lambda call: {
        "drop": "after" if CAN_BE_LOST.index(call) % 2 and call.operation != "sns:Publish" else "before"
    },
}


def test_the_table_of_calls_has_every_call_of_a_run(pipeline: Pipeline) -> None:
    pipeline.fault("*")
    run = pipeline.upload()
    run.ends()
    assert run.approve_by_mail() == 200
    assert run.is_over().outcome == "approved"
    run.reported()
    (watched,) = pipeline.heal()
    requests = watched["requests"]
    unknown = [request for request in requests if not any(call.matches(request) for call in CALLS)]
    assert unknown == []
    assert [str(call) for call in CALLS if not any(call.matches(request) for request in requests)] == []


@pytest.mark.parametrize("fault", ONCE)
def test_a_run_succeeds_when_the_first_call_of_every_kind_fails(pipeline: Pipeline, fault: str) -> None:
    for call in CALLS:
        if fault != "lost" or call in CAN_BE_LOST:
            pipeline.fault(call.operation, containing=call.containing, **ONCE[fault](call))
    run = pipeline.upload()
    assert run.ends().outcome == "pending"
    assert run.approve_by_mail() == 200
    assert run.is_over().outcome == "approved"
    run.reported()
    unused = [f"{rule['operation']} {rule['containing']}" for rule in pipeline.heal() if not rule["applied"]]
    assert unused == []
    assert (len(run.packages()), len(run.questions()), len(run.endings())) == (1, 1, 1)


def test_a_task_that_fails_for_good_is_reported_and_a_redrive_repeats_nothing(pipeline: Pipeline) -> None:
    run, ending = None, None
    for number, (state, call) in enumerate(TASKS.items(), 1):
        # Not throttling: the state machine waits for hours while Lambda has no concurrency left.
        pipeline.fault(call.operation, containing=call.containing, error=call.broken, status=500, times=None)
        if run is None:
            run = pipeline.upload()
            ending = run.ends()
        else:
            ending = run.redrive()
        assert (ending.outcome, run.entered()[-1]) == ("failed", state)
        assert "This fault was injected" in ending.cause
        assert (
            "This fault was injected" in eventually(lambda run=run, n=number: run.endings()[n - 1 :])[0].text
        )
        (fault,) = pipeline.heal()
        assert fault["applied"] == fault["seen"] > 1
    assert run is not None
    assert run.redrive().outcome == "pending"
    assert run.times_entered() == dict.fromkeys(TASKS, 2)
    assert len(run.jobs()) == 4
    assert (len(run.packages()), len(run.questions())) == (1, 1)


def test_a_function_call_that_fails_for_good_is_reported_and_a_redrive_resumes(pipeline: Pipeline) -> None:
    # tests/statemachine, and the tests above, show how often each state retries.
    with (
        pipeline.definition("Check upload", Retry=[]),
        pipeline.definition("Keep model", Retry=[]),
        pipeline.definition("Ask for approval", Retry=[]),
    ):
        refuse(pipeline, next(iter(WAITED_FOR)))
        run = pipeline.upload()
        assert run.ends().outcome == "failed"
        # A person who redrives before the end is reported already knows about it.
        run.reported()
    for redrives, (call, state) in enumerate(WAITED_FOR.items(), 1):
        pipeline.heal()
        refuse(pipeline, call)
        ending = run.redrive()
        assert (ending.outcome, run.entered()[-1]) == ("failed", state), call
        assert "AccessDenied" in ending.cause
        eventually(lambda mails=redrives + 1: len(run.endings()) == mails)
    pipeline.heal()
    assert run.questions() == []
    assert run.redrive().outcome == "pending"
    assert (len(run.packages()), len(run.questions())) == (1, 1)


def refuse(pipeline: Pipeline, call: Call) -> None:
    """From now on, such calls are not allowed.

    Not throttling, which a function's client tries again for seconds each time: see above for that.
    """
    pipeline.fault(call.operation, containing=call.containing, error="AccessDenied", status=403, times=None)


def test_calls_that_succeed_but_return_an_error_are_repeated_without_harm(
    pipeline: Pipeline,
) -> None:
    # All except the request for approval, whose mail would be sent twice: see tests/faults/functions.
    for state, call in TASKS.items():
        if state != "Ask for approval":
            pipeline.fault(
                call.operation, containing=call.containing, error=call.broken, status=500, done=True
            )
    run = pipeline.upload()
    assert run.ends().outcome == "pending"
    assert {rule["applied"] for rule in pipeline.heal()} == {1}
    # A job of each kind for each of the two attempts, under names of their own.
    assert len(run.jobs()) == 8
    assert (len(run.packages()), len(run.questions())) == (1, 1)
    assert run.approve_by_mail() == 200
    assert run.is_over().outcome == "approved"
    eventually(lambda: "InProgress" not in run.jobs().values())


def test_the_jobs_of_abandoned_attempts_are_stopped_by_the_sweep(pipeline: Pipeline) -> None:
    with pipeline.instead_of("preprocess", SLOW):
        pipeline.fault_instead(**abandoned("preprocess"))
        run = pipeline.upload()
        eventually(lambda: pipeline.running_jobs(run, "preprocess"), RUN_SECONDS)
    with pipeline.instead_of("evaluate", SLOW):
        # The next attempt prepares the data, and the evaluation is the one to be abandoned.
        pipeline.fault_instead(**abandoned("evaluate"))
        eventually(lambda: pipeline.running_jobs(run, "evaluate"), RUN_SECONDS)
    pipeline.heal()
    assert run.ends().outcome == "pending"
    orphans = [f"{run.run_id}-{step}-0-0" for step in ("preprocess", "evaluate")]
    assert [run.jobs()[orphan] for orphan in orphans] == ["InProgress"] * 2
    assert pipeline.sweep()["job"] == 2
    eventually(lambda: [run.jobs()[orphan] for orphan in orphans] == ["Stopped"] * 2)
    assert pipeline.running_jobs(run) == []
    assert pipeline.sweep().get("job", 0) == 0


def abandoned(step: str) -> dict[str, Any]:
    """A job is created, and the state machine hears of a failure, once there are other faults."""
    return {
        "operation": "sagemaker:CreateProcessingJob",
        "containing": f"-{step}-",
        "error": "InternalFailure",
        "done": True,
        "delay": RUN_SECONDS,
    }


def test_a_run_is_asked_about_and_mailed_although_nobody_can_read_or_keep_its_cost(
    pipeline: Pipeline,
) -> None:
    for call in COSTS:
        refuse(pipeline, call)
    run = pipeline.upload()
    assert run.ends().outcome == "pending"
    assert run.approve_by_mail() == 200
    assert run.is_over().outcome == "approved"
    run.reported()
    assert "Cost" not in run.questions()[0].text + run.endings()[0].text


@pytest.mark.parametrize("operation", ["logs:CreateLogStream", "logs:PutLogEvents"], ids=str)
def test_a_run_succeeds_although_its_jobs_cannot_log_or_send_events_and_storage_is_slow(
    pipeline: Pipeline, operation: str
) -> None:
    pipeline.fault("s3:GetObject", times=4, delay=0.5)
    pipeline.fault(operation, error="InternalFailure", status=500, times=None)
    assert pipeline.upload().ends().outcome == "pending"
    pipeline.until_met()
    assert pipeline.faults()[0]["applied"] == 4
