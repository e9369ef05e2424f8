"""Jobs die in every possible way; the run reports it, and a redrive resumes it."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.calls import TASKS
from tests.faults.pipeline import Pipeline
from tests.faults.run import Run
from tests.faults.tally import Ending

SLOW = "import time; time.sleep(600)"
EMPTY = "import sys; sys.exit(0)"
# Somewhat more than 4 GiB and no more, or the whole machine could run out of memory.
GREEDY = """
import mmap, time
kind = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
hoard = [mmap.mmap(-1, 256 << 20, flags=kind) for _ in range(17)]
time.sleep(600)
"""
# Operation, what its request contains, the state that fails, and why; in the order of the states.
REFUSED = [
    ("s3:ListObjectsV2", "prefix=code/", "Preprocess", "No S3 objects found"),
    ("s3:GetObject", "/code.zip", "Preprocess", "Data download failed"),
    ("s3:GetObject", "/input/upload.csv", "Preprocess", "Data download failed"),
    ("s3:PutObject", "/prepared/", "Preprocess", "Artifact upload failed"),
    ("s3:GetObject", "/tuning/", "Evaluate", "Data download failed"),
    ("s3:PutObject", "/evaluation.json", "Evaluate", "Artifact upload failed"),
    ("s3:PutObject", "/predictions/", "Batch transform", "Artifact upload failed"),
]


def test_a_killed_job_and_corrupt_models_fail_the_run_before_they_are_used_and_it_can_be_redriven(
    pipeline: Pipeline,
) -> None:
    with pipeline.instead_of("preprocess", SLOW):
        run = pipeline.upload()
        pipeline.kill_job(f"{run.run_id}-preprocess-")
        assert failed_job(run.ends())["FailureReason"].endswith("exit code: 137")
    assert "exit code: 137" in run.reported().text

    for corrupt in (lambda _: b"not an archive", lambda whole: whole[: len(whole) // 2]):
        with pipeline.held("sagemaker:CreateProcessingJob", containing="-evaluate-"):
            run.resume()
            pipeline.until_met()
            key = trained_model(run)
            whole = replace(pipeline, key, corrupt)
        ending = run.ends()
        assert (ending.outcome, run.entered()[-1]) == ("failed", "Evaluate")
        assert "model.tar.gz" in failed_job(ending)["FailureReason"]
        run.reported()
        restore(pipeline, key, whole)

    with pipeline.held("sagemaker:CreateTransformJob"):
        run.resume()
        pipeline.until_met()
        bundle = f"models/{run.run_id}/model.tar.gz"
        whole = replace(pipeline, bundle, lambda _: b"not an archive")
    ending = run.ends()
    assert (ending.outcome, run.entered()[-1]) == ("failed", "Batch transform")
    assert "Failed to extract model data archive" in failed_job(ending)["FailureReason"]
    run.reported()
    assert run.packages() == []
    restore(pipeline, bundle, whole)
    assert_redrive_completes(run, "Preprocess", "Evaluate", "Evaluate", "Batch transform")


def trained_model(run: Run) -> str:
    """The key of the model of the best trial."""
    [key] = [key for key in run.pipeline.objects(f"runs/{run.run_id}/tuning/") if best_trial(run) in key]
    return key


def replace(pipeline: Pipeline, key: str, change: Callable[[bytes], bytes]) -> bytes:
    """Change an object; returns what it was."""
    s3, place = pipeline.client("s3"), {"Bucket": pipeline.stack["BucketName"], "Key": key}
    whole = bytes(s3.get_object(**place)["Body"].read())
    s3.put_object(**place, Body=change(whole))
    return whole


def restore(pipeline: Pipeline, key: str, whole: bytes) -> None:
    replace(pipeline, key, lambda _: whole)


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


def test_a_job_that_cannot_read_its_input_or_write_its_output_fails_and_can_be_redriven(
    pipeline: Pipeline,
) -> None:
    run: Run | None = None
    for operation, containing, state, said in REFUSED:
        pipeline.fault(operation, containing=containing, error="AccessDenied", status=403, times=None)
        ending = run.redrive() if run else (run := pipeline.upload()).ends()
        assert run is not None
        assert said in failed_job(ending)["FailureReason"], (operation, containing)
        assert run.entered()[-1] == state, (operation, containing)
        assert said in run.reported().text, (operation, containing)
        [fault] = pipeline.heal()
        assert fault["applied"], (operation, containing)
    assert run is not None
    assert_redrive_completes(run, *(state for _, _, state, _ in REFUSED))


def failed_job(ending: Ending) -> dict[str, Any]:
    """The description of the job that failed the execution."""
    assert (ending.outcome, ending.error) == ("failed", "States.TaskFailed")
    return dict(json.loads(ending.cause))


def assert_redrive_completes(run: Run, *failed: str) -> None:
    """The run resumes where it failed last; what was done before one of its redrives was not repeated."""
    assert run.redrive().outcome == "pending"
    assert run.times_entered() == Counter([*TASKS, *failed])
    assert (len(run.packages()), len(run.questions())) == (1, 1)


def best_trial(run: Run) -> str:
    """The name of the training job whose model is evaluated."""
    sagemaker = run.pipeline.client("sagemaker")
    pages = sagemaker.get_paginator("list_hyper_parameter_tuning_jobs").paginate(NameContains=run.run_id)
    [tuning] = [
        found["HyperParameterTuningJobName"]
        for page in pages
        for found in page["HyperParameterTuningJobSummaries"]
    ]
    found = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=tuning)
    return str(found["BestTrainingJob"]["TrainingJobName"])
