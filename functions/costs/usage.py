"""The instances that a run's jobs used: which, how many and for how long, also those of failed attempts.

SageMaker bills a job from its start time to its end time for each instance, by the second and without a
minimum (https://aws.amazon.com/sagemaker/ai/pricing/, and the times in Describe's answers at
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTransformJob.html). Only for a training
job on spot instances is it less: `BillableTimeInSeconds`. A job that has not started costs nothing yet; one
that still runs has used what it used until now.
"""

import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from costs.prices import Kind
from shared.jobs import LARGEST_PAGES, jobs_of
from shared.text import now

TUNE = "tune"


@dataclass(frozen=True)
class Use:
    """What one job used. `seconds` and `saved` (by spot instances) are those of one instance of `count`."""

    job: str
    step: str
    kind: Kind
    instance_type: str
    count: int
    seconds: int
    saved: int = 0


def uses_of(run_id: str, sagemaker: Any) -> list[Use]:
    """What every job of the run used so far, by this client of SageMaker."""
    readers = (_processing, _training, _transform)
    with ThreadPoolExecutor(len(readers)) as pool:
        return [use for found in pool.map(lambda read: [*read(sagemaker, run_id)], readers) for use in found]


def _processing(sagemaker: Any, run_id: str) -> Iterator[Use]:
    for name, step in _names(sagemaker.get_paginator("list_processing_jobs"), "ProcessingJob", run_id):
        job = sagemaker.describe_processing_job(ProcessingJobName=name)
        cluster = job["ProcessingResources"]["ClusterConfig"]
        seconds = _between(job.get("ProcessingStartTime"), job.get("ProcessingEndTime"))
        yield Use(name, step, "processing", cluster["InstanceType"], cluster["InstanceCount"], seconds)


def _transform(sagemaker: Any, run_id: str) -> Iterator[Use]:
    for name, step in _names(sagemaker.get_paginator("list_transform_jobs"), "TransformJob", run_id):
        job = sagemaker.describe_transform_job(TransformJobName=name)
        cluster = job["TransformResources"]
        seconds = _between(job.get("TransformStartTime"), job.get("TransformEndTime"))
        yield Use(name, step, "transform", cluster["InstanceType"], cluster["InstanceCount"], seconds)


def _training(sagemaker: Any, run_id: str) -> Iterator[Use]:
    pages = sagemaker.get_paginator("list_hyper_parameter_tuning_jobs")
    trials = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
    for name, _ in _names(pages, "HyperParameterTuningJob", run_id):
        tuning = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        definition = tuning["TrainingJobDefinition"]
        cluster, is_spot = definition["ResourceConfig"], definition.get("EnableManagedSpotTraining", False)
        instance = (cluster["InstanceType"], cluster["InstanceCount"])
        for page in trials.paginate(HyperParameterTuningJobName=name, PaginationConfig=LARGEST_PAGES):
            for trial in page["TrainingJobSummaries"]:
                seconds = _spot_seconds(sagemaker, trial) if is_spot else _trial_seconds(trial)
                yield Use(trial["TrainingJobName"], TUNE, "training", *instance, *seconds)


def _trial_seconds(trial: Mapping[str, Any]) -> tuple[int, int]:
    return _between(trial.get("TrainingStartTime"), trial.get("TrainingEndTime")), 0


def _spot_seconds(sagemaker: Any, trial: Mapping[str, Any]) -> tuple[int, int]:
    """Billed seconds, and those that spot instances saved, which the summary does not tell."""
    job = sagemaker.describe_training_job(TrainingJobName=trial["TrainingJobName"])
    if "BillableTimeInSeconds" not in job:
        return _trial_seconds(trial)
    billed = int(job["BillableTimeInSeconds"])
    return billed, max(0, int(job.get("TrainingTimeInSeconds", billed)) - billed)


def _names(pages: Any, stem: str, run_id: str) -> Iterator[tuple[str, str]]:
    """The run's jobs of a kind, `<run id>-<step>-<redrive>-<retry>`, each with its step."""
    for summary in jobs_of(run_id, stem, pages):
        name = str(summary[f"{stem}Name"])
        yield name, name.removeprefix(f"{run_id}-").partition("-")[0]


def _between(start: datetime | None, end: datetime | None) -> int:
    if start is None:
        return 0
    return max(0, math.ceil(((end or now()) - start).total_seconds()))
