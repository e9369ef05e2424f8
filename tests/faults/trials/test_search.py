"""Faults that a search with several trials meets otherwise than one with a single trial."""

from collections.abc import Iterator, Sequence

import pytest

from local.cli.deploy import set_parameter
from tests.conftest import eventually
from tests.e2e.up import TRIALS
from tests.faults.pipeline import SAMPLE, Pipeline
from tests.faults.run import RUN_SECONDS, Run
from tests.faults.trials.test_jobs import assert_redrive_completes, best_trial, failed_job

# Trials long enough for one to be killed before its end on the busiest machine.
MANY_ROUNDS = {
    "StaticHyperParameters": "{% $merge([$workload.training.hyperparameters, {'num_round': '800'}]) %}"
}


@pytest.fixture(scope="module", autouse=True)
def _several_trials(deployed: Pipeline) -> Iterator[None]:
    set_parameter(deployed.endpoint, "MaxTrials", "3")
    yield
    set_parameter(deployed.endpoint, "MaxTrials", TRIALS)


def test_a_killed_trial_and_one_whose_model_cannot_be_stored_do_not_fail_the_tuning(
    pipeline: Pipeline,
) -> None:
    pipeline.fault("s3:GetObject", containing="/prepared/train/", delay=RUN_SECONDS)
    with pipeline.definition("Tune, or reuse?", Assign={"trainingJobDefinition": MANY_ROUNDS}):
        run = pipeline.upload("many.csv", many_rows())
        pipeline.until_met()
    pipeline.fault_instead("s3:PutObject", containing="-0-002-", error="InternalError", times=None)
    pipeline.kill_job(f"training-{run.run_id}-0-001-")
    assert run.ends().outcome == "pending"
    killed, not_stored, completed = sorted(run.trials())
    assert [run.trials()[name] for name in (killed, not_stored, completed)] == [
        "Failed",
        "Failed",
        "Completed",
    ]
    assert reason_of(run, killed).endswith("exit code: 137")
    assert "Artifact upload failed" in reason_of(run, not_stored)
    assert best_trial(run) == completed


def test_trials_whose_spot_instances_are_reclaimed_restart_or_time_out_and_the_run_succeeds(
    pipeline: Pipeline,
) -> None:
    run, (late, restarted, other) = on_spot(pipeline, wait_seconds=10, reclaimed_for=(600, 0.1))
    assert run.ends().outcome == "pending"
    assert [run.trials()[name] for name in (late, restarted, other)] == ["Stopped", "Completed", "Completed"]
    begun = ["Starting", "Downloading", "Training"]
    assert transitions_of(run, restarted) == [*begun, "Interrupted", *begun, "Uploading", "Completed"]
    assert transitions_of(run, late)[-2:] == ["Interrupted", "MaxWaitTimeExceeded"]
    assert best_trial(run) != late
    assert run.approve().outcome == "approved"


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


def on_spot(
    pipeline: Pipeline, *, wait_seconds: int, reclaimed_for: Sequence[float]
) -> tuple[Run, list[str]]:
    """A run on spot instances, as with `UseSpot`, and its trials, of which the first lose theirs for so long."""
    limits = {"MaxRuntimeInSeconds": wait_seconds, "MaxWaitTimeInSeconds": wait_seconds}
    training = {"EnableManagedSpotTraining": True, "StoppingCondition": limits}
    with (
        pipeline.definition("Tune, or reuse?", Assign={"trainingJobDefinition": training}),
        pipeline.held("s3:GetObject", containing="/prepared/train/"),
    ):
        run = pipeline.upload()
        trials = eventually(lambda: names if len(names := sorted(run.trials())) == 3 else None, RUN_SECONDS)
        pipeline.until_met()
        for trial, seconds in zip(trials, reclaimed_for, strict=False):
            pipeline.reclaim_instance(trial, seconds)
    return run, trials


def transitions_of(run: Run, trial: str) -> list[str]:
    """The secondary statuses of a training job, in order."""
    found = run.pipeline.client("sagemaker").describe_training_job(TrainingJobName=trial)
    return [each["Status"] for each in found["SecondaryStatusTransitions"]]


def many_rows(copies: int = 30) -> bytes:
    """Many copies of the sample, each with slightly heavier cars, for trials that take a moment."""
    header, *rows = SAMPLE.decode().splitlines()
    weight = header.split(",").index("weight")
    lines = [header]
    for copy in range(copies):
        for row in rows:
            fields = row.split(",")
            fields[weight] = str(int(fields[weight]) + copy)
            lines.append(",".join(fields))
    return "\n".join(lines).encode()
