"""Training on spot instances that are reclaimed, as AWS describes the lifecycle of managed spot training.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-managed-spot-training-status.html
"""

import threading
from functools import partial
from typing import Any

import pytest

from local.sagemaker import SageMaker, ServiceError
from tests.conftest import eventually
from tests.unit.sagemaker.fakes import FakeAws, FakeWorkers, Running
from tests.unit.sagemaker.requests import TRAINING, changed

NAME = TRAINING["TrainingJobName"]
ON_SPOT = changed(TRAINING, "EnableManagedSpotTraining", True)


@pytest.fixture(autouse=True)
def data(aws: FakeAws) -> None:
    aws.s3.put("s3://bucket/data/train/train.csv", b"1,2\n")
    aws.s3.put("s3://bucket/data/validation/validation.csv", b"1,2\n")


class Program:
    """Leaves half a model and waits to be killed, a given number of times; then it leaves a whole one."""

    def __init__(self, interruptions: int) -> None:
        self.begun = threading.Semaphore(0)
        self._interruptions = interruptions

    def __call__(self, running: Running) -> int:
        model = running.root / "model"
        assert list(model.iterdir()) == []
        self._interruptions -= 1
        running.print(f"[0]\ttrain-rmse:{self._interruptions}\tvalidation-rmse:{self._interruptions}")
        if self._interruptions >= 0:
            (model / "xgboost-model").write_bytes(b"half a forest")
            self.begun.release()
            assert running.stopped.wait(10)
        else:
            (model / "xgboost-model").write_bytes(b"a forest")
        return 0


def start(sagemaker: SageMaker, workers: FakeWorkers, wait_seconds: int, interruptions: int = 1) -> Program:
    program = workers.program = Program(interruptions)
    limits = {"MaxRuntimeInSeconds": wait_seconds, "MaxWaitTimeInSeconds": wait_seconds}
    sagemaker.call("CreateTrainingJob", ON_SPOT | {"StoppingCondition": limits})
    assert program.begun.acquire(timeout=10)
    return program


def ended(sagemaker: SageMaker) -> tuple[str, list[str], dict[str, Any]]:
    """Status, secondary statuses, and everything else."""
    described = sagemaker.wait("training", NAME, timeout=10)
    transitions = [each["Status"] for each in described["SecondaryStatusTransitions"]]
    return described["TrainingJobStatus"], transitions, described


def test_a_job_whose_instance_is_reclaimed_restarts(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    program = start(sagemaker, workers, 600, interruptions=2)
    sagemaker.reclaim(NAME)
    assert program.begun.acquire(timeout=10)
    sagemaker.reclaim(NAME)
    status, transitions, described = ended(sagemaker)
    begun = ["Starting", "Downloading", "Training"]
    assert (status, transitions) == (
        "Completed",
        [*begun, "Interrupted", *begun, "Interrupted", *begun, "Uploading", "Completed"],
    )
    assert {metric["Value"] for metric in described["FinalMetricDataList"]} == {-1.0}
    assert len(workers.processes) == 3
    assert [key for key in aws.s3.keys if key.endswith("model.tar.gz")] == [
        "models/train-1/output/model.tar.gz"
    ]


def test_without_another_instance_in_time_the_job_is_stopped(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    start(sagemaker, workers, wait_seconds=1)
    sagemaker.reclaim(NAME, seconds=600)
    status, transitions, described = ended(sagemaker)
    assert (status, transitions[-2:]) == ("Stopped", ["Interrupted", "MaxWaitTimeExceeded"])
    assert "ModelArtifacts" not in described
    assert "FailureReason" not in described


def test_the_remaining_waiting_time_limits_the_next_attempt(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    program = start(sagemaker, workers, wait_seconds=600, interruptions=2)
    sagemaker.reclaim(NAME, seconds=0.1)
    assert program.begun.acquire(timeout=10)
    first, second = (running.timeout or 0.0 for running in workers.processes)
    assert 0 < second <= first - 0.1
    sagemaker.call("StopTrainingJob", {"TrainingJobName": NAME})
    ended(sagemaker)


def test_a_job_that_waits_for_another_instance_can_be_stopped(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    start(sagemaker, workers, wait_seconds=600)
    sagemaker.reclaim(NAME, seconds=600)
    describe = partial(sagemaker.call, "DescribeTrainingJob", {"TrainingJobName": NAME})
    eventually(lambda: describe()["SecondaryStatus"] == "Interrupted")
    sagemaker.call("StopTrainingJob", {"TrainingJobName": NAME})
    status, transitions, _ = ended(sagemaker)
    assert (status, transitions[-2:]) == ("Stopped", ["Stopping", "Stopped"])


def test_only_a_spot_instance_can_be_reclaimed(sagemaker: SageMaker, workers: FakeWorkers) -> None:
    workers.program = Program(1)
    sagemaker.call("CreateTrainingJob", TRAINING)
    with pytest.raises(ServiceError, match="runs on no spot instance"):
        sagemaker.reclaim(NAME)
    sagemaker.call("StopTrainingJob", {"TrainingJobName": NAME})
