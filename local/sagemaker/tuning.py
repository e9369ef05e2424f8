"""Tuning jobs: trials, a few at a time, each a training job with hyperparameters from a search."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from local.sagemaker.engines.early_stopping import should_stop_early
from local.sagemaker.engines.search_space import Observation, Value, format_value
from local.sagemaker.errors import JobFailed, JobStopped
from local.sagemaker.jobs import Job, Work
from local.sagemaker.kinds import Json
from local.sagemaker.metrics import Metrics
from local.sagemaker.search import Search, make_search
from local.sagemaker.storage import Kept

# AWS gives up if nothing has succeeded by then.
_ATTEMPTS = 5
_TARGET = "_tuning_objective_metric"
# SageMaker reads metrics from the log, some time after they are printed, so it cannot stop a trial of a few
# seconds. Whether a shorter one is stopped here would only depend on how busy this machine is.
EARLY_STOPPING_AFTER_SECONDS = 5.0

# Tuning job, the trial's own fields, its metrics, its data -> the running training job.
StartTraining = Callable[[Job, Json, Metrics, Kept], Job]


@dataclass
class Trial:
    """One training job of a tuning job."""

    job: Job
    values: dict[str, Value]
    metrics: Metrics
    counted: bool = False
    started: float = field(default_factory=time.monotonic)


class Tuning:
    """One running tuning job."""

    def __init__(self, job: Job, start_training: StartTraining) -> None:
        self._job = job
        self._start_training = start_training
        self._config = job.fields["HyperParameterTuningJobConfig"]
        self._objective = self._config["HyperParameterTuningJobObjective"]
        self._sign = 1.0 if self._objective["Type"] == "Minimize" else -1.0
        self._limits = self._config["ResourceLimits"]
        self._trials: list[Trial] = []
        self._kept = Kept(job.folder / "kept")

    def run(self) -> None:
        """Run trials until there are enough; raises `JobFailed` or `JobStopped`."""
        search = make_search(self._job.record.key, self._config, self._job.backend.workers)
        reading = threading.Thread(target=self._read_ahead, name="read-ahead", daemon=True)
        reading.start()
        seconds = self._limits.get("MaxRuntimeInSeconds")
        deadline = time.monotonic() + seconds if seconds else None
        try:
            self._run_trials(search, deadline)
        finally:
            self._end_running_trials()
            search.close()
            reading.join()
        if not self._best():
            raise JobFailed(_nothing_succeeded(len(self._trials)))

    def _read_ahead(self) -> None:
        """Read what all trials need while the search starts. A trial that cannot read it says why."""
        with contextlib.suppress(Exception):
            for channel in self._job.fields["TrainingJobDefinition"].get("InputDataConfig", []):
                if self._job.stopping.is_set():
                    return
                self._job.storage.keep(channel["DataSource"]["S3DataSource"], self._kept)

    def _run_trials(self, search: Search, deadline: float | None) -> None:
        store = self._job.backend.store
        exhausted = False
        while True:
            self._job.check()
            self._count_ended()
            if self._target_reached():
                return
            if not exhausted and self._may_start():
                exhausted = not self._start_next(search)
                continue
            if not self._running():
                return
            left = None if deadline is None else deadline - time.monotonic()
            if not store.wait_until(self._something_happened, left):
                raise JobStopped(timed_out=True)

    def _may_start(self) -> bool:
        number: int = self._limits["MaxNumberOfTrainingJobs"]
        parallel: int = self._limits["MaxParallelTrainingJobs"]
        return len(self._trials) < number and len(self._running()) < parallel and not self._hopeless()

    def _start_next(self, search: Search) -> bool:
        values = search.suggest(
            [Observation(trial.values, self._loss(trial)) for trial in self._trials if trial.counted],
            [trial.values for trial in self._running()],
        )
        if values is None:
            return False
        metrics = Metrics()
        definition = self._job.fields["TrainingJobDefinition"]
        tuned = {name: format_value(value) for name, value in values.items()}
        fixed = definition.get("StaticHyperParameters", {}) | {_TARGET: self._objective["MetricName"]}
        fields = {
            "HyperParameters": fixed | tuned,
            "TunedHyperParameters": tuned,
            "TuningJobArn": self._job.record.arn,
            "TuningJobName": self._job.record.key,
            "Number": len(self._trials) + 1,
            "ObjectiveStatus": "Pending",
        }
        if "DefinitionName" in definition:
            fields["TrainingJobDefinitionName"] = definition["DefinitionName"]
        job = self._start_training(self._job, fields, metrics, self._kept)
        trial = Trial(job, values, metrics)
        self._trials.append(trial)
        if self._config.get("TrainingJobEarlyStoppingType", "Off") == "Auto":
            metrics.on_value = lambda name: self._stop_if_hopeless(trial, name)
            # What the job wrote until now was told to nobody.
            self._stop_if_hopeless(trial, self._objective["MetricName"])
        return True

    def _loss(self, trial: Trial) -> float:
        value = _value(trial)
        return math.inf if value is None else self._sign * value

    def _stop_if_hopeless(self, trial: Trial, name: str) -> None:
        young = time.monotonic() - trial.started < EARLY_STOPPING_AFTER_SECONDS
        if young or name != self._objective["MetricName"] or trial.job.stopping.is_set():
            return
        finished = [each for each in self._trials if each.job.record.status == "Completed"]
        if finished and should_stop_early(self._curve(trial), [self._curve(each) for each in finished]):
            trial.job.stop()

    def _curve(self, trial: Trial) -> list[float]:
        return [self._sign * value for value in trial.metrics.values[self._objective["MetricName"]]]

    def _running(self) -> list[Trial]:
        """Trials whose end was not seen yet: one that has just ended still counts as running."""
        return [trial for trial in self._trials if not trial.counted]

    def _something_happened(self) -> bool:
        return self._job.stopping.is_set() or any(trial.job.record.ended for trial in self._running())

    def _count_ended(self) -> None:
        """Record the results of ended trials, and update the tuning job's counters."""
        for trial in self._running():
            if trial.job.record.ended:
                self._note_objective(trial)
                trial.counted = True
        best = self._best()
        summary = best and _summary(best.job.fields)
        self._job.update(
            {**counters([trial.job.fields for trial in self._trials]), "BestTrainingJob": summary}
        )

    def _note_objective(self, trial: Trial) -> None:
        final = {
            each["MetricName"]: each["Value"] for each in trial.job.fields.get("FinalMetricDataList", [])
        }
        name = self._objective["MetricName"]
        if trial.job.record.status == "Failed" or name not in final:
            trial.job.update({"ObjectiveStatus": "Failed"})
            return
        metric = {"Type": self._objective["Type"], "MetricName": name, "Value": final[name]}
        trial.job.update(
            {"FinalHyperParameterTuningJobObjectiveMetric": metric, "ObjectiveStatus": "Succeeded"}
        )

    def _best(self) -> Trial | None:
        scored = [pair for pair in self._scored() if _left_a_model(pair[0].job)]
        return min(scored, key=lambda pair: self._sign * pair[1])[0] if scored else None

    def _scored(self) -> list[tuple[Trial, float]]:
        return [(trial, value) for trial in self._trials if (value := _value(trial)) is not None]

    def _target_reached(self) -> bool:
        target = self._config.get("TuningJobCompletionCriteria", {}).get("TargetObjectiveMetricValue")
        values = [self._sign * value for _, value in self._scored()]
        return target is not None and min(values, default=math.inf) <= self._sign * float(target)

    def _hopeless(self) -> bool:
        return sum(trial.counted for trial in self._trials) >= _ATTEMPTS and not self._scored()

    def _end_running_trials(self) -> None:
        running = self._running()
        for trial in running:
            trial.job.stop()
        self._job.backend.store.wait_until(lambda: all(trial.job.record.ended for trial in running))
        self._count_ended()


def tuning_work(start_training: StartTraining) -> Work:
    """How to tune, given how to start one training job."""
    return Work(run=lambda job: Tuning(job, start_training).run())


def counters(trials: list[Json]) -> Json:
    """`TrainingJobStatusCounters` and `ObjectiveStatusCounters` of some training jobs."""
    statuses = [fields["TrainingJobStatus"] for fields in trials]
    objectives = [fields["ObjectiveStatus"] for fields in trials]
    return {
        "TrainingJobStatusCounters": {
            "Completed": statuses.count("Completed"),
            "InProgress": statuses.count("InProgress") + statuses.count("Stopping"),
            "RetryableError": 0,
            "NonRetryableError": statuses.count("Failed"),
            "Stopped": statuses.count("Stopped"),
        },
        "ObjectiveStatusCounters": {
            "Succeeded": objectives.count("Succeeded"),
            "Pending": objectives.count("Pending"),
            "Failed": objectives.count("Failed"),
        },
    }


_SUMMARY = (
    "TrainingJobDefinitionName",
    "TrainingJobName",
    "TrainingJobArn",
    "TuningJobName",
    "CreationTime",
    "TrainingStartTime",
    "TrainingEndTime",
    "TrainingJobStatus",
    "TunedHyperParameters",
    "FailureReason",
    "FinalHyperParameterTuningJobObjectiveMetric",
    "ObjectiveStatus",
)


def _summary(fields: Json) -> Json:
    return {name: fields[name] for name in _SUMMARY if name in fields}


def _value(trial: Trial) -> float | None:
    metric = trial.job.fields.get("FinalHyperParameterTuningJobObjectiveMetric")
    return None if metric is None else float(metric["Value"])


def _left_a_model(job: Job) -> bool:
    # A stopped trial may already have a good objective, but no model.
    return job.record.status != "Stopped" or "ModelArtifacts" in job.fields


def _nothing_succeeded(attempts: int) -> str:
    return (
        f"No training job succeeded after {attempts} attempts. For additional details, please take a look at "
        "the training job failures by listing training jobs for the hyperparameter tuning job."
    )
