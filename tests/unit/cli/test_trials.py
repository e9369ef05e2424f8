from typing import Any

import pytest

from local.cli.trials import Trials
from tests.unit.cli.fakes import TuningJob, training_job


def request(kind: str = "Minimize") -> dict[str, Any]:
    return {
        "HyperParameterTuningJobName": "tune",
        "HyperParameterTuningJobConfig": {
            "HyperParameterTuningJobObjective": {"Type": kind, "MetricName": "validation:rmse"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 10, "MaxParallelTrainingJobs": 3},
        },
    }


@pytest.fixture
def job() -> TuningJob:
    return TuningJob()


def test_each_trial_is_reported_once_numbered_in_order_of_start(job: TuningJob) -> None:
    trials = Trials(job, request())
    job.jobs = [training_job("a", "InProgress"), training_job("b", "Completed", 3.0)]
    assert [(trial.number, trial.name) for trial in trials.newly_finished()] == [(2, "b")]
    job.jobs[0] = training_job("a", "Completed", 4.0)
    assert [(trial.number, trial.name) for trial in trials.newly_finished()] == [(1, "a")]
    assert trials.newly_finished() == []


@pytest.mark.parametrize(("kind", "best"), [("Minimize", 2.0), ("Maximize", 5.0)])
def test_the_best_trial_follows_the_jobs_objective(job: TuningJob, kind: str, best: float) -> None:
    trials = Trials(job, request(kind))
    job.jobs = [training_job(str(value), "Completed", value) for value in (3.0, 2.0, 5.0)]
    trials.newly_finished()
    assert trials.best == best


def test_a_completed_trial_waits_for_its_objective(job: TuningJob) -> None:
    trials = Trials(job, request())
    job.jobs = [training_job("a", "Completed")]
    assert trials.newly_finished() == []
    job.jobs = [training_job("a", "Completed", 1.0)]
    assert [trial.objective for trial in trials.newly_finished()] == [1.0]


def test_on_the_last_call_a_trial_without_an_objective_is_reported_anyway(job: TuningJob) -> None:
    trials = Trials(job, request())
    job.jobs = [training_job("a", "Completed")]
    assert [trial.objective for trial in trials.newly_finished(last_call=True)] == [None]
    assert trials.best is None


def test_a_failed_trial_is_reported_and_never_the_best(job: TuningJob) -> None:
    trials = Trials(job, request())
    job.jobs = [training_job("a", "Failed"), training_job("b", "Stopped", 2.5)]
    assert [trial.status for trial in trials.newly_finished()] == ["Failed", "Stopped"]
    assert trials.best == 2.5


def test_a_tuning_job_that_is_not_created_yet_has_no_trials(job: TuningJob) -> None:
    job.created = False
    assert Trials(job, request()).newly_finished() == []
