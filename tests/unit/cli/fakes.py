"""Clients that behave like the AWS services, as far as the command line uses them."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC).timestamp()


class HistoryBook:
    """An execution's history that a test writes and get_execution_history reads page by page."""

    def __init__(self, page_size: int = 100) -> None:
        self.events: list[dict[str, Any]] = []
        self.pages_read = 0
        self._page_size = page_size

    def add(self, kind: str, seconds: float = 0.0, **details: Any) -> None:
        """Append an event; `seconds` after the execution's start."""
        key = f"{kind[0].lower()}{kind[1:]}EventDetails"
        if kind.endswith(("StateEntered", "StateExited")):
            key = f"state{kind[-7:] if kind.endswith('Entered') else kind[-6:]}EventDetails"
        at = datetime.fromtimestamp(START + seconds, UTC)
        self.events.append({"id": len(self.events) + 1, "type": kind, "timestamp": at, key: details})

    def get_execution_history(self, **request: Any) -> dict[str, Any]:
        self.pages_read += 1
        newest_first = self.events[::-1]
        begin = int(request.get("nextToken", 0))
        end = begin + min(self._page_size, request["maxResults"])
        page: dict[str, Any] = {"events": newest_first[begin:end]}
        return page if end >= len(newest_first) else {**page, "nextToken": str(end)}


@dataclass
class TuningJob:
    """Answers for the training jobs of a tuning job from a list that a test changes."""

    jobs: list[dict[str, Any]] = field(default_factory=list)
    created: bool = True
    looks: int = 0
    """How often somebody asked which jobs are in progress."""

    class exceptions:  # noqa: N801 - as boto3 names it
        class ResourceNotFound(Exception):
            pass

    def get_paginator(self, operation: str) -> "TuningJob":
        assert operation == "list_training_jobs_for_hyper_parameter_tuning_job"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert request["SortBy"] == "CreationTime"
        if not self.created:
            raise self.exceptions.ResourceNotFound
        half = len(self.jobs) // 2
        yield {"TrainingJobSummaries": self.jobs[:half]}
        yield {"TrainingJobSummaries": self.jobs[half:]}

    def list_training_jobs(self, *, StatusEquals: str) -> dict[str, Any]:  # noqa: N803
        self.looks += 1
        return {
            "TrainingJobSummaries": [job for job in self.jobs if job["TrainingJobStatus"] == StatusEquals]
        }

    def list_processing_jobs(self, *, StatusEquals: str) -> dict[str, Any]:  # noqa: N803
        return {"ProcessingJobSummaries": []}

    def list_transform_jobs(self, *, StatusEquals: str) -> dict[str, Any]:  # noqa: N803
        return {"TransformJobSummaries": []}


def training_job(name: str, status: str, objective: float | None = None, **tuned: str) -> dict[str, Any]:
    """A summary as SageMaker lists it."""
    value = {"MetricName": "validation:rmse", "Value": objective}
    found: dict[str, Any] = {
        "TrainingJobName": name,
        "TrainingJobStatus": status,
        "TunedHyperParameters": tuned,
    }
    return found if objective is None else {**found, "FinalHyperParameterTuningJobObjectiveMetric": value}


@dataclass
class FakeS3:
    """Objects by key, in one bucket."""

    objects: Mapping[str, bytes]

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        return {"Body": io.BytesIO(self.objects[Key])}

    def get_paginator(self, action: str) -> "FakeS3":
        assert action == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> list[dict[str, Any]]:  # noqa: N803
        """A page for each object, in the order of their names."""
        return [{"Contents": [{"Key": key}]} for key in sorted(self.objects) if key.startswith(Prefix)] + [{}]
