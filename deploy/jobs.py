"""The SageMaker jobs and models of one stack.

Stacks in the same account (staging, production) name their jobs alike, so a job belongs to the stack whose
role it runs as.
"""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from deploy.problems import Trouble
from runs.names import PREFIX
from shared.jobs import LARGEST_PAGES

Pause = Callable[[float], None]


@dataclass(frozen=True)
class Kind:
    """The names of SageMaker's API for one kind of job."""

    noun: str
    operation: str
    shape: str

    def under_way(self, sagemaker: Any, status: str) -> Iterator[str]:
        pages = sagemaker.get_paginator(f"list_{self.operation}s").paginate(
            NameContains=PREFIX, StatusEquals=status, PaginationConfig=LARGEST_PAGES
        )
        for page in pages:
            for summary in page[f"{self.shape}Summaries"]:
                yield summary[f"{self.shape}Name"]

    def describe(self, sagemaker: Any, name: str) -> dict[str, Any]:
        described: dict[str, Any] = getattr(sagemaker, f"describe_{self.operation}")(
            **{f"{self.shape}Name": name}
        )
        return described

    def stop(self, sagemaker: Any, name: str) -> None:
        getattr(sagemaker, f"stop_{self.operation}")(**{f"{self.shape}Name": name})


# Tuning jobs come before training jobs: stopping a tuning job stops its training jobs.
KINDS = (
    Kind("processing job", "processing_job", "ProcessingJob"),
    Kind("tuning job", "hyper_parameter_tuning_job", "HyperParameterTuningJob"),
    Kind("training job", "training_job", "TrainingJob"),
    Kind("transform job", "transform_job", "TransformJob"),
)


def stop_jobs(
    sagemaker: Any, roles: Collection[str], *, pause: Pause = time.sleep, seconds: float = 900
) -> int:
    """Stop the jobs that run as one of these roles, by name, and wait: a stopping job still writes to S3.

    Returns how many there were. Raises Trouble if some are still running after `seconds`.
    """
    deadline = time.monotonic() + seconds
    seen: set[str] = set()
    while jobs := list(_jobs_of(sagemaker, roles)):
        seen |= {name for _, name, _ in jobs}
        for kind, name, status in jobs:
            if status == "InProgress":
                _stop(sagemaker, kind, name)
        if time.monotonic() > deadline:
            still = ", ".join(name for _, name, _ in jobs)
            raise Trouble(f"Still running after {seconds:.0f} s: {still}", "Run this again later.")
        pause(3)
    return len(seen)


def delete_models(sagemaker: Any, roles: Collection[str]) -> int:
    """Delete the models that the stack's runs created for their batch transforms; returns how many."""
    pages = sagemaker.get_paginator("list_models").paginate(
        NameContains=PREFIX, PaginationConfig=LARGEST_PAGES
    )
    names = [model["ModelName"] for page in pages for model in page["Models"]]
    mine = [name for name in names if _name(_model_role(sagemaker, name)) in roles]
    for name in mine:
        sagemaker.delete_model(ModelName=name)
    return len(mine)


def _jobs_of(sagemaker: Any, roles: Collection[str]) -> Iterator[tuple[Kind, str, str]]:
    for kind in KINDS:
        for status in ("InProgress", "Stopping"):
            for name in kind.under_way(sagemaker, status):
                if _name(_role_of(sagemaker, kind.describe(sagemaker, name))) in roles:
                    yield kind, name, status


def _stop(sagemaker: Any, kind: Kind, name: str) -> None:
    try:
        kind.stop(sagemaker, name)
    except ClientError as error:
        # It has ended or begun to stop since it was listed; the next round shows which.
        if error.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise


def _role_of(sagemaker: Any, job: dict[str, Any]) -> str:
    if "RoleArn" in job:
        return str(job["RoleArn"])
    if "TrainingJobDefinition" in job:
        return str(job["TrainingJobDefinition"]["RoleArn"])
    return _model_role(sagemaker, job["ModelName"])


def _model_role(sagemaker: Any, name: str) -> str:
    try:
        return str(sagemaker.describe_model(ModelName=name).get("ExecutionRoleArn", ""))
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            return ""
        raise


def _name(role_arn: str) -> str:
    return role_arn.rpartition("/")[2]
