"""The trials of a run's search, from SageMaker, whether this run did it or reused an earlier run's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from common import lenient
from shared.aws import client
from shared.jobs import LARGEST_PAGES
from shared.telemetry import describe_error, logger
from shared.text import many_lines

# The name of a training job is the search's, `-`, a number, `-` and eight characters.
_OWN_PARTS = 2


@dataclass(frozen=True)
class Trial:
    """A training job. `objective` is None as long as it has none, or if it failed."""

    number: int
    name: str
    status: str
    objective: float | None
    hyperparameters: Mapping[str, str]
    start: datetime | None
    end: datetime | None
    reason: str


@dataclass(frozen=True)
class Search:
    """A tuning job and its trials, in the order of their start."""

    name: str
    metric: str
    minimizes: bool
    trials: Sequence[Trial]

    @property
    def measured(self) -> list[Trial]:
        """The trials that ended with a value, in the order of their ends."""
        done = [trial for trial in self.trials if trial.objective is not None and trial.end is not None]
        return sorted(done, key=lambda trial: trial.end or trial.start or datetime.min)

    @property
    def best(self) -> Trial | None:
        """The trial with the best value."""
        choose = min if self.minimizes else max
        return choose(self.measured, key=lambda trial: trial.objective or 0.0, default=None)


def search_of(training_job: str) -> str:
    """The name of the search that a training job belongs to."""
    return training_job.rsplit("-", _OWN_PARTS)[0]


def read_search(name: str) -> Search | None:
    """The search of this name; None if SageMaker does not have it, or may not tell."""
    try:
        pages = (
            client("sagemaker")
            .get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
            .paginate(
                HyperParameterTuningJobName=name,
                SortBy="CreationTime",
                SortOrder="Ascending",
                PaginationConfig=LARGEST_PAGES,
            )
        )
        jobs = [job for page in pages for job in page["TrainingJobSummaries"]]
    except ClientError as error:
        logger.warning("trials not readable", tuning_job=name, **describe_error(error))
        return None
    trials = [trial_of(number, job) for number, job in enumerate(jobs, start=1)]
    objective = next((found for job in jobs if (found := _objective(job))), {})
    minimizes = objective.get("Type", "Minimize") == "Minimize"
    return Search(name, lenient.text(objective.get("MetricName")), minimizes, trials)


def trial_of(number: int, job: Mapping[str, Any]) -> Trial:
    """A trial from SageMaker's summary of its training job."""
    status = str(job["TrainingJobStatus"])
    return Trial(
        number=number,
        name=str(job["TrainingJobName"]),
        status=status,
        objective=lenient.number(_objective(job).get("Value")),
        hyperparameters=job.get("TunedHyperParameters", {}),
        start=job.get("TrainingStartTime") or job.get("CreationTime"),
        end=job.get("TrainingEndTime"),
        reason=many_lines(job.get("FailureReason", ""), 300) if status == "Failed" else "",
    )


def _objective(job: Mapping[str, Any]) -> Mapping[str, Any]:
    return lenient.mapping(job.get("FinalHyperParameterTuningJobObjectiveMetric"))
