"""Faults that a search with several trials meets otherwise than one with a single trial."""

from collections.abc import Iterator

import pytest

from local.cli.deploy import set_parameter
from tests.e2e.up import TRIALS
from tests.faults.pipeline import SAMPLE, Pipeline
from tests.faults.run import Run
from tests.faults.trials.test_jobs import assert_redrive_completes, best_trial, failed_job


@pytest.fixture(scope="module", autouse=True)
def _several_trials(deployed: Pipeline) -> Iterator[None]:
    set_parameter(deployed.endpoint, "MaxTrials", "3")
    yield
    set_parameter(deployed.endpoint, "MaxTrials", TRIALS)


def test_a_killed_trial_does_not_fail_the_tuning(pipeline: Pipeline) -> None:
    run = pipeline.upload("many.csv", many_rows())
    pipeline.kill_job(f"training-{run.run_id}-0-")
    assert run.ends().outcome == "pending"
    reasons = [reason_of(run, name) for name, status in run.trials().items() if status == "Failed"]
    assert {reason[-14:] for reason in reasons} == {"exit code: 137"}


def test_a_trial_whose_spot_instance_is_reclaimed_restarts_and_the_run_succeeds(
    pipeline: Pipeline,
) -> None:
    run, trial = reclaimed(pipeline, seconds=0.1, wait_seconds=600)
    assert run.ends().outcome == "pending"
    assert set(run.trials().values()) == {"Completed"}
    begun = ["Starting", "Downloading", "Training"]
    assert transitions_of(run, trial) == [*begun, "Interrupted", *begun, "Uploading", "Completed"]


def test_a_trial_that_gets_no_spot_instance_in_time_does_not_fail_the_tuning(pipeline: Pipeline) -> None:
    run, trial = reclaimed(pipeline, seconds=600, wait_seconds=5)
    assert run.ends().outcome == "pending"
    assert sorted(run.trials().values()) == ["Completed", "Completed", "Stopped"]
    assert transitions_of(run, trial)[-2:] == ["Interrupted", "MaxWaitTimeExceeded"]
    assert best_trial(run) != trial
    assert run.approve().outcome == "approved"


def test_a_trial_whose_model_cannot_be_stored_does_not_fail_the_tuning(pipeline: Pipeline) -> None:
    pipeline.fault("s3:PutObject", containing="-0-002-", error="InternalError", times=None)
    run = pipeline.upload()
    assert run.ends().outcome == "pending"
    assert sorted(run.trials().values()) == ["Completed", "Completed", "Failed"]
    assert "-0-002-" not in best_trial(run)


def test_when_all_trials_fail_the_mail_has_the_reason_of_the_first(pipeline: Pipeline) -> None:
    pipeline.fault("s3:PutObject", containing="/tuning/", error="AccessDenied", status=403, times=None)
    run = pipeline.upload()
    assert "No training job succeeded" in failed_job(run.ends())["FailureReason"]
    assert set(run.trials().values()) == {"Failed"}
    assert "-0-001-" in run.reported().text
    assert "Artifact upload failed" in run.reported().text
    pipeline.heal()
    assert_redrive_completes(run, "Tune")


def reason_of(run: Run, trial: str) -> str:
    found = run.pipeline.client("sagemaker").describe_training_job(TrainingJobName=trial)
    return str(found["FailureReason"])


def reclaimed(pipeline: Pipeline, *, seconds: float, wait_seconds: int) -> tuple[Run, str]:
    """A run on spot instances, as with `UseSpot`, and its trial whose instance is taken away for `seconds`."""
    limits = {"MaxRuntimeInSeconds": wait_seconds, "MaxWaitTimeInSeconds": wait_seconds}
    on_spot = {"EnableManagedSpotTraining": True, "StoppingCondition": limits}
    with (
        pipeline.definition("Tune, or reuse?", Assign={"trainingJobDefinition": on_spot}),
        pipeline.held("s3:GetObject", containing="/prepared/train/"),
    ):
        run = pipeline.upload()
        pipeline.until_met()
        trial = sorted(run.trials())[0]
        pipeline.reclaim_instance(trial, seconds)
    return run, trial


def transitions_of(run: Run, trial: str) -> list[str]:
    """The secondary statuses of a training job, in order."""
    found = run.pipeline.client("sagemaker").describe_training_job(TrainingJobName=trial)
    return [each["Status"] for each in found["SecondaryStatusTransitions"]]


def many_rows(copies: int = 60) -> bytes:
    """Many copies of the sample, each with slightly heavier cars, for trials that take a second."""
    header, *rows = SAMPLE.decode().splitlines()
    weight = header.split(",").index("weight")
    lines = [header]
    for copy in range(copies):
        for row in rows:
            fields = row.split(",")
            fields[weight] = str(int(fields[weight]) + copy)
            lines.append(",".join(fields))
    return "\n".join(lines).encode()
