"""Finds and stops orphans: jobs that still run although no execution waits for them.

Step Functions stops the job of a stopped task only on a best-effort basis, and never after the task timed
out. A job's name makes stopping it safe: it contains the run and the redrive that started the job, so that a
job of a run that was redriven meanwhile is never stopped.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from runs.executions import describe
from runs.names import PREFIX, Attempt, read_attempt
from shared.aws import client, error_code
from shared.jobs import LARGEST_PAGES, jobs_of
from shared.telemetry import count, logger

# SageMaker's answers if there is nothing to stop: the job ended meanwhile, or was deleted.
_OVER = {"ValidationException", "ResourceNotFound"}


@dataclass(frozen=True)
class _Kind:
    """A kind of job that the state machine starts. Stopping a tuning job stops its training jobs."""

    pages: Callable[[], Any]
    # As in `ProcessingJobName`.
    stem: str
    stop: Callable[[str], Any]


_KINDS = {
    "processing": _Kind(
        lambda: client("sagemaker").get_paginator("list_processing_jobs"),
        "ProcessingJob",
        lambda name: client("sagemaker").stop_processing_job(ProcessingJobName=name),
    ),
    "tuning": _Kind(
        lambda: client("sagemaker").get_paginator("list_hyper_parameter_tuning_jobs"),
        "HyperParameterTuningJob",
        lambda name: client("sagemaker").stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name),
    ),
    "transform": _Kind(
        lambda: client("sagemaker").get_paginator("list_transform_jobs"),
        "TransformJob",
        lambda name: client("sagemaker").stop_transform_job(TransformJobName=name),
    ),
}


@dataclass(frozen=True)
class Job:
    """A job that is in progress."""

    kind: str
    name: str
    attempt: Attempt


def jobs_in_progress() -> list[Job]:
    """All jobs in progress that the state machine named."""
    return [
        job
        for kind, known in _KINDS.items()
        for page in known.pages().paginate(
            NameContains=PREFIX, StatusEquals="InProgress", PaginationConfig=LARGEST_PAGES
        )
        for job in _read(kind, page[f"{known.stem}Summaries"])
    ]


def jobs_in_progress_of(run_id: str) -> list[Job]:
    """Those of one run."""
    return [
        job
        for kind, known in _KINDS.items()
        for summary in _all_of(run_id, kind)
        if summary[f"{known.stem}Status"] == "InProgress"
        for job in _read(kind, [summary])
    ]


def stop_jobs_of(execution_arn: str, jobs: list[Job]) -> list[str]:
    """Stop these jobs of an execution that ended, unless it was redriven.

    Returns the names of the jobs that it stopped.
    """
    if not jobs:
        return []
    execution = describe(execution_arn)
    if execution["status"] == "RUNNING":
        logger.info("redriven: its jobs stay", execution_arn=execution_arn)
        return []
    redrives = int(execution.get("redriveCount") or 0)
    # If it is redriven at this moment, its new jobs have a higher number.
    return [job.name for job in jobs if job.attempt.redrive <= redrives and stop(job)]


def superseded(jobs: Iterable[Job]) -> list[Job]:
    """The jobs that a later attempt at the same step has replaced."""
    return [job for job in jobs if _order(job) < max(map(_order, _attempts_like(job)))]


def stop(job: Job) -> bool:
    """Ask SageMaker to stop the job. False if it ended meanwhile."""
    try:
        _KINDS[job.kind].stop(job.name)
    except ClientError as error:
        if error_code(error) not in _OVER:
            raise
        return False
    logger.info("orphaned job stopped", job=job.name)
    count("JobStopped")
    return True


def _attempts_like(job: Job) -> list[Job]:
    """Every attempt at the job's step, including the job. A later attempt may have ended already."""
    everything = _read(job.kind, _all_of(job.attempt.run_id, job.kind))
    return [job, *(other for other in everything if other.attempt.step == job.attempt.step)]


def _order(job: Job) -> tuple[int, int]:
    return job.attempt.redrive, job.attempt.retry


def _all_of(run_id: str, kind: str) -> Iterator[Mapping[str, Any]]:
    known = _KINDS[kind]
    return jobs_of(run_id, known.stem, known.pages())


def _read(kind: str, summaries: Iterable[Mapping[str, Any]]) -> Iterator[Job]:
    for summary in summaries:
        name = summary[f"{_KINDS[kind].stem}Name"]
        if attempt := read_attempt(name):
            yield Job(kind, name, attempt)
