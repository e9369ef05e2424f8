"""Jobs die in every possible way; the run reports it, and a redrive resumes it."""

import json
from typing import Any

import pytest

from tests.faults.calls import TASKS
from tests.faults.pipeline import SAMPLE, Pipeline
from tests.faults.run import Run
from tests.faults.tally import Ending

SLOW = "import time; time.sleep(600)"
EMPTY = "import sys; sys.exit(0)"
# Bit by bit, so that it is noticed before the whole machine is out of memory.
GREEDY = """
import time
hoard = []
while True:
    hoard.append(b"x" * (256 << 20))
    time.sleep(0.02)
"""


def test_a_killed_processing_job_fails_the_run_and_can_be_redriven(pipeline: Pipeline) -> None:
    with pipeline.instead_of("preprocess", SLOW):
        run = pipeline.upload()
        pipeline.kill_job(f"{run.run_id}-preprocess-")
        assert failed_job(run.ends())["FailureReason"].endswith("exit code: 137")
    assert "exit code: 137" in run.reported().text
    assert_redrive_completes(run, "Preprocess")


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


def test_a_job_out_of_memory_says_so(pipeline: Pipeline) -> None:
    # 4 GiB instead of 8: enough to show it.
    cluster = {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 30}
    smaller = {"ProcessingResources": {"ClusterConfig": cluster}}
    with (
        pipeline.definition("Preprocess", Arguments=smaller),
        pipeline.instead_of("preprocess", GREEDY),
    ):
        run = pipeline.upload()
        assert "more memory" in failed_job(run.ends())["FailureReason"]
    assert "more memory" in run.reported().text


def test_a_job_over_its_time_limit_is_ended_and_leaves_no_process(pipeline: Pipeline) -> None:
    shorter = {"StoppingCondition": {"MaxRuntimeInSeconds": 1}}
    with (
        pipeline.definition("Preprocess", Arguments=shorter),
        pipeline.instead_of("preprocess", SLOW),
    ):
        run = pipeline.upload()
        assert failed_job(run.ends())["ProcessingJobStatus"] == "Stopped"
    run.reported()
    assert pipeline.running_jobs(run) == []


@pytest.mark.parametrize("artifact", ["not an archive", "cut off"])
def test_a_corrupt_model_is_detected_before_it_is_used(pipeline: Pipeline, artifact: str) -> None:
    with pipeline.held("sagemaker:CreateProcessingJob", containing="-evaluate-"):
        run = pipeline.upload()
        pipeline.until_met()
        ((key, _),) = [
            item
            for item in pipeline.objects(f"runs/{run.run_id}/tuning/").items()
            if best_trial(run) in item[0]
        ]
        place = {"Bucket": pipeline.stack["BucketName"], "Key": key}
        whole = pipeline.client("s3").get_object(**place)["Body"].read()
        broken = whole[: len(whole) // 2] if artifact == "cut off" else b"not an archive"
        pipeline.client("s3").put_object(**place, Body=broken)
    ending = run.ends()
    assert (ending.outcome, run.entered()[-1]) == ("failed", "Evaluate")
    assert "model.tar.gz" in failed_job(ending)["FailureReason"]
    assert run.packages() == []
    pipeline.client("s3").put_object(**place, Body=whole)
    assert_redrive_completes(run, "Evaluate")


def test_a_corrupt_bundle_fails_the_transform(pipeline: Pipeline) -> None:
    with pipeline.held("sagemaker:CreateTransformJob"):
        run = pipeline.upload()
        pipeline.until_met()
        place = {"Bucket": pipeline.stack["BucketName"], "Key": f"models/{run.run_id}/model.tar.gz"}
        pipeline.client("s3").put_object(**place, Body=b"not an archive")
    ending = run.ends()
    assert (ending.outcome, run.entered()[-1]) == ("failed", "Batch transform")
    assert "Failed to extract model data archive" in failed_job(ending)["FailureReason"]
    assert run.packages() == []


@pytest.mark.parametrize(
    ("step", "state", "said"),
    [
        ("preprocess", "Tune", "No training job succeeded"),
        ("evaluate", "Keep model", "evaluation.json is missing"),
    ],
)
def test_a_job_that_succeeds_but_wrote_nothing_fails_the_run(
    pipeline: Pipeline, step: str, state: str, said: str
) -> None:
    with pipeline.instead_of(step, EMPTY):
        run = pipeline.upload()
        ending = run.ends()
    assert (ending.outcome, run.entered()[-1]) == ("failed", state)
    assert said in ending.cause or "NoSuchKey" in ending.error
    run.reported()
    assert run.packages() == []


def test_slow_storage_only_takes_longer(pipeline: Pipeline) -> None:
    pipeline.fault("s3:GetObject", times=4, delay=0.5)
    assert pipeline.upload().ends().outcome == "pending"
    assert pipeline.faults()[0]["applied"] == 4


@pytest.mark.parametrize(
    ("operation", "containing", "state", "said"),
    [
        ("s3:PutObject", "/prepared/", "Preprocess", "Artifact upload failed"),
        ("s3:PutObject", "/evaluation.json", "Evaluate", "Artifact upload failed"),
        ("s3:PutObject", "/predictions/", "Batch transform", "Artifact upload failed"),
        ("s3:ListObjectsV2", "prefix=code/", "Preprocess", "No S3 objects found"),
        ("s3:GetObject", "/code.zip", "Preprocess", "Data download failed"),
        ("s3:GetObject", "/input/upload.csv", "Preprocess", "Data download failed"),
        ("s3:GetObject", "/tuning/", "Evaluate", "Data download failed"),
    ],
)
def test_a_job_that_cannot_read_its_input_or_write_its_output_fails_and_can_be_redriven(
    pipeline: Pipeline, operation: str, containing: str, state: str, said: str
) -> None:
    pipeline.fault(operation, containing=containing, error="AccessDenied", status=403, times=None)
    run = pipeline.upload()
    assert said in failed_job(run.ends())["FailureReason"]
    assert said in run.reported().text
    pipeline.heal()
    assert_redrive_completes(run, state)


def failed_job(ending: Ending) -> dict[str, Any]:
    """The description of the job that failed the execution."""
    assert (ending.outcome, ending.error) == ("failed", "States.TaskFailed")
    return dict(json.loads(ending.cause))


def assert_redrive_completes(run: Run, state: str) -> None:
    """The run resumes at this state; what was done before is not repeated."""
    assert run.redrive().outcome == "pending"
    assert {name: run.entered().count(name) for name in TASKS} == {
        name: 1 + (name == state) for name in TASKS
    }
    assert (len(run.packages()), len(run.questions())) == (1, 1)


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


def best_trial(run: Run) -> str:
    found = run.pipeline.client("sagemaker").describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=f"{run.run_id}-0"
    )
    return str(found["BestTrainingJob"]["TrainingJobName"])


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
