"""Jobs die in every possible way; the run reports it, and a redrive resumes it."""

import json
from typing import Any

import pytest

from tests.faults.calls import TASKS
from tests.faults.pipeline import Pipeline
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


def best_trial(run: Run) -> str:
    found = run.pipeline.client("sagemaker").describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=f"{run.run_id}-0"
    )
    return str(found["BestTrainingJob"]["TrainingJobName"])
