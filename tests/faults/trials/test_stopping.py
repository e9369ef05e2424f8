"""Executions stopped by hand, and resumed."""

import pytest

from tests.conftest import eventually
from tests.faults.calls import TASKS
from tests.faults.pipeline import Pipeline
from tests.faults.run import RUN_SECONDS

SLOW = "import time; time.sleep(600)"
# Evaluation predicts with the same file.
SLOW_IN_BATCH = """
import os, time
if os.environ.get("SAGEMAKER_BATCH") == "true":
    time.sleep(600)
"""

# Those that leave something behind when they are stopped: a claim, a job, a request for approval.
REDRIVEN = {"Claim upload", "Preprocess", "Tune", "Batch transform", "Ask for approval"}


def test_runs_stopped_in_each_state_are_reported_do_not_continue_and_can_be_redriven(
    pipeline: Pipeline,
) -> None:
    # Each call is held once, so that one run is caught in each task.
    for call in TASKS.values():
        pipeline.fault(call.operation, containing=call.containing, delay=RUN_SECONDS)
    runs = [pipeline.upload() for _ in TASKS]
    eventually(lambda: all(rule["applied"] for rule in pipeline.faults()), RUN_SECONDS)
    for run in runs:
        run.stop()
    stopped_in = {run: run.entered()[-1] for run in runs}
    assert set(stopped_in.values()) == set(TASKS)
    pipeline.heal()
    for run, state in stopped_in.items():
        assert run.ends().outcome == "aborted", state
        assert run.reported().subject.startswith("Stopped"), state
    # The held calls are answered by now; that must have no effect.
    assert {run: run.entered()[-1] for run in runs} == stopped_in
    assert all(len(run.endings()) == 1 for run in runs)
    assert {status for run in runs for status in run.jobs().values()} <= {"Completed", "Stopped"}

    for run, state in stopped_in.items():
        if state in REDRIVEN:
            assert run.redrive().outcome == "pending", state
            assert {name: run.entered().count(name) for name in TASKS} == {
                name: 1 + (name == state) for name in TASKS
            }
            assert len(run.packages()) == 1


def test_a_file_whose_run_was_stopped_runs_when_it_is_uploaded_again(pipeline: Pipeline) -> None:
    with pipeline.held("sagemaker:CreateHyperParameterTuningJob"):
        stopped = pipeline.upload()
        pipeline.until_met()
        stopped.stop()
    again = pipeline.upload(key=stopped.key)
    assert again.ends().outcome == "pending"
    assert stopped.ends().outcome == "aborted"


@pytest.mark.parametrize("step", ["preprocess", "evaluate"])
def test_the_job_of_a_stopped_run_is_stopped(pipeline: Pipeline, step: str) -> None:
    with pipeline.instead_of(step, SLOW):
        run = pipeline.upload()
        eventually(lambda: pipeline.running_jobs(run, step), RUN_SECONDS)
        run.stop()
        eventually(lambda: "Stopped" in run.jobs().values())
    assert "InProgress" not in run.jobs().values()
    eventually(lambda: not pipeline.running_jobs(run))


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


def test_a_decision_about_a_stopped_run_is_recorded_and_mailed(pipeline: Pipeline) -> None:
    run = pipeline.upload()
    run.ends()
    run.stop()
    assert run.reported().subject.startswith("Stopped")
    run.decide("Approved")
    late = eventually(lambda: [mail for mail in pipeline.mails() if _is_late(mail.subject, run.run_id)])
    assert len(late) == 1
    assert "is recorded" in late[0].text
    assert run.is_over().outcome == "aborted"


def _is_late(subject: str, run_id: str) -> bool:
    return "after the run's end" in subject and run_id in subject
