"""Which jobs and models are stopped and deleted with a stack."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy.jobs import delete_models, stop_jobs
from deploy.problems import Trouble

MINE = "mpg-pipeline-TrainingRole-1A2B"
ALL_MINE = ("mpg-pipeline-ModelRole-5E6F", MINE)
OTHERS = "mpg-pipeline-staging-TrainingRole-3C4D"


def role_arn(name: str) -> str:
    return f"arn:aws:iam::111122223333:role/{name}"


class SageMaker:
    """Jobs that take two polls to stop, and models."""

    def __init__(self) -> None:
        self.jobs: dict[tuple[str, str], dict[str, Any]] = {}
        self.models: dict[str, str] = {}
        self.looks_until_stopped = 2
        self.stopped: list[str] = []

    def start(self, shape: str, name: str, role: str, status: str = "InProgress") -> None:
        self.jobs[shape, name] = {"role": role, "status": status, "looks": self.looks_until_stopped}

    def get_paginator(self, operation: str) -> "_Pages":
        return _Pages(self, operation)

    def describe_processing_job(self, **request: str) -> dict[str, Any]:
        return {"RoleArn": self._role("ProcessingJob", request)}

    def describe_training_job(self, **request: str) -> dict[str, Any]:
        return {"RoleArn": self._role("TrainingJob", request)}

    def describe_hyper_parameter_tuning_job(self, **request: str) -> dict[str, Any]:
        return {"TrainingJobDefinition": {"RoleArn": self._role("HyperParameterTuningJob", request)}}

    def describe_transform_job(self, **request: str) -> dict[str, Any]:
        return {"ModelName": f"{request['TransformJobName']}-model"}

    def describe_model(self, ModelName: str) -> dict[str, Any]:  # noqa: N803 - as boto3 calls it
        if ModelName not in self.models:
            raise ClientError(
                {"Error": {"Code": "ValidationException", "Message": "Could not find"}}, "DescribeModel"
            )
        return {"ExecutionRoleArn": role_arn(self.models[ModelName])}

    def delete_model(self, ModelName: str) -> None:  # noqa: N803
        del self.models[ModelName]

    def stop_processing_job(self, **request: str) -> None:
        self._stop("ProcessingJob", request)

    def stop_training_job(self, **request: str) -> None:
        self._stop("TrainingJob", request)

    def stop_hyper_parameter_tuning_job(self, **request: str) -> None:
        self._stop("HyperParameterTuningJob", request)

    def stop_transform_job(self, **request: str) -> None:
        self._stop("TransformJob", request)

    def _role(self, shape: str, request: dict[str, str]) -> str:
        return role_arn(self.jobs[shape, request[f"{shape}Name"]]["role"])

    def _stop(self, shape: str, request: dict[str, str]) -> None:
        self.stopped.append(request[f"{shape}Name"])
        self.jobs[shape, request[f"{shape}Name"]]["status"] = "Stopping"


class _Pages:
    def __init__(self, sagemaker: SageMaker, operation: str) -> None:
        self._sagemaker = sagemaker
        self._operation = operation

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert request["NameContains"] == "mpg-"
        assert request["PaginationConfig"] == {"PageSize": 100}
        if self._operation == "list_models":
            yield {"Models": [{"ModelName": name} for name in list(self._sagemaker.models)]}
            return
        shape = self._operation.removeprefix("list_").removesuffix("s").title().replace("_", "")
        names = []
        for (kind, name), job in self._sagemaker.jobs.items():
            if kind == shape and job["status"] == request["StatusEquals"]:
                names.append(name)
                if job["status"] == "Stopping":
                    job["looks"] -= 1
                    job["status"] = "Stopped" if job["looks"] <= 0 else "Stopping"
        yield {f"{shape}Summaries": [{f"{shape}Name": name} for name in names]}


@pytest.fixture
def sagemaker() -> SageMaker:
    return SageMaker()


def no_pause(seconds: float) -> None:
    """Instead of sleeping."""


@pytest.mark.parametrize("shape", ["ProcessingJob", "HyperParameterTuningJob", "TrainingJob", "TransformJob"])
def test_a_job_of_the_stack_is_stopped_and_its_end_waited_for(sagemaker: SageMaker, shape: str) -> None:
    sagemaker.start(shape, "mpg-1", MINE)
    sagemaker.models["mpg-1-model"] = MINE
    assert stop_jobs(sagemaker, ALL_MINE, pause=no_pause) == 1
    assert sagemaker.jobs[shape, "mpg-1"]["status"] == "Stopped"


@pytest.mark.parametrize("shape", ["ProcessingJob", "HyperParameterTuningJob", "TrainingJob", "TransformJob"])
def test_a_job_of_another_stack_keeps_running(sagemaker: SageMaker, shape: str) -> None:
    sagemaker.start(shape, "mpg-2", OTHERS)
    sagemaker.models["mpg-2-model"] = OTHERS
    assert stop_jobs(sagemaker, ALL_MINE, pause=no_pause) == 0
    assert sagemaker.jobs[shape, "mpg-2"]["status"] == "InProgress"


def test_a_job_that_is_stopping_already_is_waited_for_but_not_stopped_again(sagemaker: SageMaker) -> None:
    sagemaker.start("ProcessingJob", "mpg-1", MINE, status="Stopping")
    stop_jobs(sagemaker, ALL_MINE, pause=no_pause)
    assert sagemaker.stopped == []
    assert sagemaker.jobs["ProcessingJob", "mpg-1"]["status"] == "Stopped"


def test_a_job_that_ends_while_it_is_being_stopped_is_no_error(
    sagemaker: SageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    sagemaker.start("ProcessingJob", "mpg-1", MINE)

    def too_late(**request: str) -> None:
        sagemaker.jobs["ProcessingJob", "mpg-1"]["status"] = "Completed"
        raise ClientError(
            {"Error": {"Code": "ValidationException", "Message": "is Completed"}}, "StopProcessingJob"
        )

    monkeypatch.setattr(sagemaker, "stop_processing_job", too_late)
    assert stop_jobs(sagemaker, ALL_MINE, pause=no_pause) == 1


def test_a_job_that_does_not_stop_is_named_in_the_end(sagemaker: SageMaker) -> None:
    sagemaker.looks_until_stopped = 10**9
    sagemaker.start("TransformJob", "mpg-1", MINE)
    sagemaker.models["mpg-1-model"] = MINE
    with pytest.raises(Trouble, match="mpg-1"):
        stop_jobs(sagemaker, ALL_MINE, pause=no_pause, seconds=0.01)


def test_models_of_the_stack_are_deleted_and_others_stay(sagemaker: SageMaker) -> None:
    sagemaker.models = {"mpg-1-model-0-0": MINE, "mpg-2-model-0-0": OTHERS}
    assert delete_models(sagemaker, ALL_MINE) == 1
    assert sagemaker.models == {"mpg-2-model-0-0": OTHERS}
