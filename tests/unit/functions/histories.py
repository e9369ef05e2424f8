"""Histories of executions, event by event, as Step Functions writes them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from reporting.history import History, history_of

Event = dict[str, Any]
START = datetime(2026, 3, 1, 9, 25, 5, tzinfo=UTC)
# Of the execution in events/notify-approved.json.
RUN = "mpg-20260301-0925-ff2aa617"


class Story:
    """Writes the events of an execution; each call of a method goes on where the last one ended."""

    def __init__(self) -> None:
        self.events: list[Event] = [{"type": "ExecutionStarted", "timestamp": START}]
        self.at = START

    @property
    def history(self) -> History:
        return history_of(self.events)

    def enters(self, state: str, kind: str = "Task") -> "Story":
        return self._add(f"{kind}StateEntered", stateEnteredEventDetails={"name": state})

    def exits(self, kind: str = "Task") -> "Story":
        return self._add(f"{kind}StateExited")

    def calls(self, resource: str, **request: Any) -> "Story":
        details = {"resource": resource, "parameters": json.dumps(request)}
        return self._add("TaskScheduled", taskScheduledEventDetails=details)

    def passes(self, seconds: float) -> "Story":
        self.at += timedelta(seconds=seconds)
        return self

    def answers(self, seconds: float = 1.0, **output: Any) -> "Story":
        return self.passes(seconds)._add(
            "TaskSucceeded", taskSucceededEventDetails={"output": json.dumps(output)}
        )

    def fails(self, seconds: float = 1.0, **cause: Any) -> "Story":
        return self.passes(seconds)._add("TaskFailed", taskFailedEventDetails={"cause": json.dumps(cause)})

    def ends(self, how: str) -> "Story":
        return self._add(f"Execution{how}")

    def asks(self, state: str, answer: dict[str, Any], **payload: Any) -> "Story":
        """A visit to a state that calls a function."""
        return self.enters(state).calls("invoke", Payload=payload).answers(Payload=answer).exits()

    def works(self, state: str, job: str, seconds: float) -> "Story":
        """A visit to a state that waits for a processing job, half of which its instances work."""
        start = (self.at.timestamp() + seconds / 2) * 1000
        times = {"ProcessingStartTime": start, "ProcessingEndTime": start + seconds * 500}
        cluster = {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large"}}
        request = {"ProcessingJobName": f"{RUN}-{job}-0-0", "ProcessingResources": cluster}
        self.enters(state).calls("createProcessingJob.sync", **request).answers(seconds, **request, **times)
        return self.exits()

    def _add(self, kind: str, **details: Any) -> "Story":
        self.events.append({"type": kind, "timestamp": self.at, **details})
        return self


def tuned(story: Story, seconds: float = 60.0) -> Story:
    """The search of a run, and its best model."""
    name, job = f"{RUN}-0", f"{RUN}-0-002-0123abcd"
    config = {
        "Strategy": "Bayesian",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:error"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 3, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {
            "ContinuousParameterRanges": [
                {"Name": "alpha", "MinValue": "0.01", "MaxValue": "10", "ScalingType": "Logarithmic"}
            ]
        },
    }
    training = {
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large"},
        "EnableManagedSpotTraining": True,
    }
    request = {"HyperParameterTuningJobName": name, "HyperParameterTuningJobConfig": config}
    story.enters("Tune").calls(
        "createHyperParameterTuningJob.sync", **request, TrainingJobDefinition=training
    )
    story.answers(seconds, **request, TrainingJobStatusCounters={"Completed": 2, "Stopped": 0}).exits()
    story.enters("Find best model").calls("describeTrainingJob", TrainingJobName=job)
    found = {"alpha": "0.5", "_tuning_objective_metric": "validation:error"}
    return story.answers(TrainingJobName=job, HyperParameters=found).exits()


def training_job(
    number: int, value: float | None, alpha: str, begin: float, end: float, **more: Any
) -> Event:
    """A training job of that search, as SageMaker lists it; times in seconds after the run's start."""
    objective = {"Type": "Minimize", "MetricName": "validation:error", "Value": value}
    measured = {} if value is None else {"FinalHyperParameterTuningJobObjectiveMetric": objective}
    return {
        "TrainingJobName": f"{RUN}-0-{number:03}-0123abcd",
        "TrainingJobStatus": "Completed" if measured else "Failed",
        "CreationTime": START,
        "TrainingStartTime": START + timedelta(seconds=begin),
        "TrainingEndTime": START + timedelta(seconds=end),
        "TunedHyperParameters": {"alpha": alpha},
        **measured,
        **more,
    }
