"""Executions stopped by hand, and resumed."""

from tests.conftest import eventually, eventually_none
from tests.faults.calls import TASKS
from tests.faults.pipeline import Pipeline
from tests.faults.run import RUN_SECONDS, Run

SLOW = "import time; time.sleep(600)"
# Evaluation predicts with the same file.
SLOW_IN_BATCH = """
import os, time
if os.environ.get("SAGEMAKER_BATCH") == "true":
    time.sleep(600)
"""


def test_a_run_stopped_in_each_state_is_reported_does_not_continue_and_can_be_redriven(
    pipeline: Pipeline,
) -> None:
    run: Run | None = None
    for number, (state, call) in enumerate(TASKS.items(), 1):
        with pipeline.held(call.operation, call.containing):
            if run:
                run.resume()
            else:
                run = pipeline.upload()
            pipeline.until_met()
            run.stop()
            assert run.entered()[-1] == state
        assert run.ends().outcome == "aborted", state
        assert run.reported().subject.startswith("Stopped"), state
        assert len(run.endings()) == number, state
        eventually_none(lambda run=run: set(run.jobs().values()) - {"Completed", "Stopped"})
        # The held call is answered by now; that must have no effect.
        assert run.entered()[-1] == state
    assert run is not None
    assert run.redrive().outcome == "pending"
    assert run.times_entered() == dict.fromkeys(TASKS, 2)
    assert len(run.packages()) == 1

    run.stop()
    assert run.reported().subject.startswith("Stopped")
    assert_a_decision_is_recorded_and_mailed(run)


def assert_a_decision_is_recorded_and_mailed(stopped: Run) -> None:
    """A decision about a stopped run is, once, and the run stays stopped."""
    stopped.decide("Approved")
    mails = stopped.pipeline.mails
    late = eventually(lambda: [mail for mail in mails() if _is_late(mail.subject, stopped.run_id)])
    assert len(late) == 1
    assert "is recorded" in late[0].text
    assert stopped.is_over().outcome == "aborted"


def _is_late(subject: str, run_id: str) -> bool:
    return "after the run's end" in subject and run_id in subject


def test_the_job_of_a_stopped_run_is_stopped_and_its_file_runs_when_it_is_uploaded_again(
    pipeline: Pipeline,
) -> None:
    stopped: Run | None = None
    for number, step in enumerate(("preprocess", "evaluate")):
        with pipeline.instead_of(step, SLOW):
            if stopped:
                stopped.resume()
            else:
                stopped = pipeline.upload()
            eventually(lambda run=stopped, step=step: pipeline.running_jobs(run, step), RUN_SECONDS)
            stopped.stop()
            job = f"{stopped.run_id}-{step}-{number}-0"
            eventually(lambda run=stopped, job=job: run.jobs()[job] == "Stopped")
        assert "InProgress" not in stopped.jobs().values(), step
        eventually_none(lambda run=stopped: pipeline.running_jobs(run))
        stopped.reported()
    assert stopped is not None
    again = pipeline.upload(key=stopped.key)
    assert again.ends().outcome == "pending"
    assert stopped.ends().outcome == "aborted"


def test_a_transform_that_takes_too_long_fails_the_run_and_is_stopped(pipeline: Pipeline) -> None:
    with (
        pipeline.definition("Batch transform", TimeoutSeconds=2),
        pipeline.script("inference.py", SLOW_IN_BATCH, after="from __future__ import annotations\n"),
    ):
        run = pipeline.upload()
        ending = run.ends()
        assert (ending.outcome, ending.error) == ("failed", "States.Timeout")
        eventually(lambda: run.jobs()[f"{run.run_id}-predict-0-0"] == "Stopped")
    assert "took longer than it may" in run.reported().text
    assert run.packages() == []
