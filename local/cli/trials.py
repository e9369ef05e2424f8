"""The training jobs of a tuning job, as they finish."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.jobs import LARGEST_PAGES

_OVER = {"Completed", "Stopped", "Failed"}


@dataclass(frozen=True)
class Trial:
    """A training job that is over. `objective` is None when it ended before its first value."""

    number: int
    name: str
    status: str
    objective: float | None
    best: float | None
    """The best objective so far, this one included."""
    tuned: Mapping[str, str]
    reason: str
    """Why it failed; empty if it did not."""


class Trials:
    """Follows one tuning job."""

    def __init__(self, sagemaker: Any, request: Mapping[str, Any]) -> None:
        self._client = sagemaker
        self._job = request["HyperParameterTuningJobName"]
        config = request["HyperParameterTuningJobConfig"]
        objective = config["HyperParameterTuningJobObjective"]
        self.metric: str = objective["MetricName"]
        self.planned = int(config["ResourceLimits"]["MaxNumberOfTrainingJobs"])
        self._pick = min if objective["Type"] == "Minimize" else max
        self.finished: list[Trial] = []

    @property
    def best(self) -> float | None:
        """The best objective so far."""
        return self.finished[-1].best if self.finished else None

    def newly_finished(self, *, last_call: bool = False) -> list[Trial]:
        """Trials that finished since the last call, each numbered in the order of their start.

        A finished training job can lack its objective at first; it is returned later, or on the last call.
        """
        before = len(self.finished)
        known = {trial.name for trial in self.finished}
        for number, job in enumerate(self._jobs(), start=1):
            over = job["TrainingJobStatus"] == "Failed" or _objective(job) is not None or last_call
            if job["TrainingJobStatus"] in _OVER and over and job["TrainingJobName"] not in known:
                self.finished.append(self._trial(number, job))
        return self.finished[before:]

    def _jobs(self) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
            HyperParameterTuningJobName=self._job,
            SortBy="CreationTime",
            SortOrder="Ascending",
            PaginationConfig=LARGEST_PAGES,
        )
        try:
            return [job for page in pages for job in page["TrainingJobSummaries"]]
        except self._client.exceptions.ResourceNotFound:
            return []  # The task's request is ready, but the job is not created yet.

    def _trial(self, number: int, job: Mapping[str, Any]) -> Trial:
        objective = _objective(job)
        values = [value for value in (self.best, objective) if value is not None]
        return Trial(
            number=number,
            name=job["TrainingJobName"],
            status=job["TrainingJobStatus"],
            objective=objective,
            best=self._pick(values) if values else None,
            tuned=job.get("TunedHyperParameters", {}),
            reason=job.get("FailureReason", "") if job["TrainingJobStatus"] == "Failed" else "",
        )


def _objective(job: Mapping[str, Any]) -> float | None:
    value: float | None = job.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value")
    return value
