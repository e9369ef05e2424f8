import itertools
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local.sagemaker import SageMaker, ServiceError, tuning
from local.sagemaker.engines.search_space import Observation
from tests.unit.engines.test_processes import wait_until
from tests.unit.sagemaker.conftest import MakeSageMaker
from tests.unit.sagemaker.fakes import FakeAws, FakeWorkers, Running
from tests.unit.sagemaker.requests import TRAINING, TUNING, changed

Json = dict[str, Any]
CONFIG = "HyperParameterTuningJobConfig"
NAME = {"HyperParameterTuningJobName": "tune"}


class FakeSearch:
    """Suggests alpha 1, 2, 3, ... and records the results it receives."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.finished: list[Sequence[Observation]] = []
        self.most_running = 0
        self.closed = False

    def suggest(self, finished: Sequence[Observation], running: Sequence[Json]) -> Json:
        self.finished.append(finished)
        self.most_running = max(self.most_running, len(running) + 1)
        return {"alpha": float(next(self.numbers))}

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> FakeSearch:
    made = FakeSearch()
    monkeypatch.setattr("local.sagemaker.search.Suggester", lambda *_, **__: made)
    return made


@pytest.fixture(autouse=True)
def data(aws: FakeAws) -> None:
    for name in ("train", "validation"):
        aws.s3.put(f"s3://bucket/data/{name}/{name}.csv", b"1,2\n")


def alpha(running: Running) -> float:
    parameters: Json = json.loads((running.root / "input/config/hyperparameters.json").read_text())
    return float(parameters["alpha"])


def trial(rmse: Callable[[float], float | None]) -> Callable[[Running], int]:
    """A program whose result is a function of alpha; None fails it."""

    def program(running: Running) -> int:
        result = rmse(alpha(running))
        if result is None:
            return 1
        running.print(f"[0]\ttrain-rmse:1.0\tvalidation-rmse:{result}")
        (running.root / "model/xgboost-model").write_bytes(b"trees")
        return 0

    return program


def tune(sagemaker: SageMaker, request: Json = TUNING) -> Json:
    sagemaker.call("CreateHyperParameterTuningJob", request)
    return sagemaker.wait("tuning", "tune", timeout=20)


def trials(sagemaker: SageMaker, **request: Any) -> list[Json]:
    page = sagemaker.call("ListTrainingJobsForHyperParameterTuningJob", NAME | request)
    summaries: list[Json] = page["TrainingJobSummaries"]
    return summaries


def test_the_best_of_all_trials_wins(sagemaker: SageMaker, search: FakeSearch, workers: FakeWorkers) -> None:
    workers.program = trial(lambda alpha: abs(alpha - 3))
    described = tune(sagemaker)

    assert described["HyperParameterTuningJobStatus"] == "Completed"
    best = described["BestTrainingJob"]
    assert best["TunedHyperParameters"] == {"alpha": "3.0"} or best["TunedHyperParameters"] == {"alpha": "3"}
    assert best["FinalHyperParameterTuningJobObjectiveMetric"] == {
        "Type": "Minimize",
        "MetricName": "validation:rmse",
        "Value": 0.0,
    }
    assert described["TrainingJobStatusCounters"]["Completed"] == 4
    assert described["ObjectiveStatusCounters"] == {"Succeeded": 4, "Pending": 0, "Failed": 0}
    assert search.closed


def test_a_metric_to_be_maximised_is_maximised(
    sagemaker: SageMaker, search: FakeSearch, workers: FakeWorkers
) -> None:
    workers.program = trial(lambda alpha: alpha)
    objective = {"Type": "Maximize", "MetricName": "validation:rmse"}
    described = tune(sagemaker, changed(TUNING, f"{CONFIG}.HyperParameterTuningJobObjective", objective))

    assert described["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 4.0
    assert min(seen.objective for seen in search.finished[-1]) < 0


def test_trials_are_training_jobs_of_the_tuning_job(
    sagemaker: SageMaker, search: FakeSearch, workers: FakeWorkers
) -> None:
    workers.program = trial(lambda alpha: alpha)
    tuned = tune(sagemaker, TUNING | {"Tags": [{"Key": "team", "Value": "a"}]})
    arn = tuned["HyperParameterTuningJobArn"]
    event = sagemaker.wait_for_event("tuning", "tune")
    assert event["Tags"] == {"team": "a"}
    assert event["CreationTime"] == int(tuned["CreationTime"] * 1000)
    best = tuned["BestTrainingJob"]["CreationTime"]
    assert event["BestTrainingJob"]["CreationTime"] == int(best * 1000)

    summaries = trials(sagemaker)
    assert [each["TrainingJobName"][:9] for each in summaries] == [
        "tune-001-",
        "tune-002-",
        "tune-003-",
        "tune-004-",
    ]
    assert all(len(each["TrainingJobName"]) == len("tune-001-") + 8 for each in summaries)
    described = sagemaker.call("DescribeTrainingJob", {"TrainingJobName": summaries[0]["TrainingJobName"]})
    assert described["TuningJobArn"] == arn
    assert described["HyperParameters"]["num_round"] == "5"
    assert described["HyperParameters"]["_tuning_objective_metric"] == "validation:rmse"
    assert described["ModelArtifacts"]["S3ModelArtifacts"].startswith("s3://bucket/models/tune-001-")
    tags = sagemaker.call("ListTags", {"ResourceArn": described["TrainingJobArn"]})
    assert tags == {"Tags": [{"Key": "team", "Value": "a"}]}


def test_trials_are_listed_by_their_result(
    sagemaker: SageMaker, search: FakeSearch, workers: FakeWorkers
) -> None:
    workers.program = trial(lambda alpha: None if alpha == 2 else -alpha)
    tune(sagemaker)

    by_result = trials(sagemaker, SortBy="FinalObjectiveMetricValue", SortOrder="Ascending")
    assert [each["TrainingJobName"][:8] for each in by_result] == ["tune-004", "tune-003", "tune-001"]
    (failed,) = trials(sagemaker, StatusEquals="Failed")
    assert (failed["FailureReason"], failed["ObjectiveStatus"]) == (
        "AlgorithmError: , exit code: 1",
        "Failed",
    )


def test_no_more_trials_run_at_a_time_than_allowed(
    sagemaker: SageMaker, search: FakeSearch, workers: FakeWorkers
) -> None:
    running, most, lock = [0], [0], threading.Lock()
    both = threading.Barrier(2, timeout=10)

    def program(process: Running) -> int:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        both.wait()
        with lock:
            running[0] -= 1
        return trial(lambda alpha: alpha)(process)

    workers.program = program
    tune(sagemaker)

    assert (most[0], search.most_running) == (2, 2)


def test_the_data_is_read_once_for_all_trials(
    sagemaker: SageMaker, search: FakeSearch, workers: FakeWorkers, aws: FakeAws
) -> None:
    workers.program = trial(lambda alpha: alpha)
    tune(sagemaker)

    assert sorted(aws.s3.reads) == ["data/train/train.csv", "data/validation/validation.csv"]


def test_the_data_is_read_while_the_search_still_looks_for_its_first_suggestion(
    sagemaker: SageMaker,
    search: FakeSearch,
    workers: FakeWorkers,
    aws: FakeAws,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suggest = search.suggest

    def suggest_late(finished: Sequence[Observation], running: Sequence[Json]) -> Json:
        wait_until(lambda: len(aws.s3.reads) == 2, 10)
        return suggest(finished, running)

    monkeypatch.setattr(search, "suggest", suggest_late)
    workers.program = trial(lambda alpha: alpha)

    assert tune(sagemaker)["HyperParameterTuningJobStatus"] == "Completed"


def test_trials_that_fail_do_not_fail_the_tuning_job(
    sagemaker: SageMaker, search: FakeSearch, workers: FakeWorkers
) -> None:
    workers.program = trial(lambda alpha: None if alpha < 4 else alpha)
    described = tune(sagemaker)

    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["TrainingJobStatusCounters"]["NonRetryableError"] == 3
    assert described["ObjectiveStatusCounters"] == {"Succeeded": 1, "Pending": 0, "Failed": 3}


@pytest.mark.parametrize(("wanted", "attempts"), [(4, 4), (20, 6)])
def test_a_tuning_job_without_any_success_gives_up(
    wanted: int, attempts: int, sagemaker: SageMaker, search: FakeSearch, workers: FakeWorkers
) -> None:
    workers.program = trial(lambda alpha: None)
    described = tune(sagemaker, changed(TUNING, f"{CONFIG}.ResourceLimits.MaxNumberOfTrainingJobs", wanted))

    assert described["HyperParameterTuningJobStatus"] == "Failed"
    assert "No training job succeeded after " in described["FailureReason"]
    assert described["TrainingJobStatusCounters"]["NonRetryableError"] <= attempts
    assert "BestTrainingJob" not in described


def test_a_trial_that_prints_no_objective_does_not_count_as_a_success(
    sagemaker: SageMaker, search: FakeSearch, workers: FakeWorkers
) -> None:
    workers.program = lambda running: 0
    described = tune(sagemaker)

    assert described["HyperParameterTuningJobStatus"] == "Failed"
    assert described["ObjectiveStatusCounters"]["Failed"] == 4


def test_a_trial_of_a_moment_is_not_stopped_early(
    sagemaker: SageMaker, search: FakeSearch, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        running.print(f"[0]\tvalidation-rmse:{100.0 if alpha(running) > 3 else 1.0}")
        return 0

    workers.program = program
    request = changed(TUNING, f"{CONFIG}.TrainingJobEarlyStoppingType", "Auto")
    described = tune(sagemaker, changed(request, f"{CONFIG}.ResourceLimits.MaxParallelTrainingJobs", 1))

    assert described["TrainingJobStatusCounters"]["Completed"] == 4


def test_a_hopeless_trial_is_stopped_early_if_requested(
    sagemaker: SageMaker, search: FakeSearch, workers: FakeWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "EARLY_STOPPING_AFTER_SECONDS", 0.0)

    def program(running: Running) -> int:
        bad = alpha(running) > 3
        running.print(f"[0]\tvalidation-rmse:{100.0 if bad else 1.0}")
        assert not bad or running.stopped.wait(10)
        return 0

    workers.program = program
    request = changed(TUNING, f"{CONFIG}.TrainingJobEarlyStoppingType", "Auto")
    described = tune(sagemaker, changed(request, f"{CONFIG}.ResourceLimits.MaxParallelTrainingJobs", 1))

    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["TrainingJobStatusCounters"] == {
        "Completed": 3,
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": 0,
        "Stopped": 1,
    }
    assert described["ObjectiveStatusCounters"]["Succeeded"] == 4


def test_a_trial_that_was_stopped_before_it_left_a_model_is_never_the_best(
    sagemaker: SageMaker, search: FakeSearch, workers: FakeWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "EARLY_STOPPING_AFTER_SECONDS", 0.0)
    # At its first iteration, the last trial is behind the others, but ahead of their final values.
    curves = iter([["1.0", "9.0"], ["1.0", "9.0"], ["1.0", "9.0"], ["2.0"]])

    def program(running: Running) -> int:
        printed = next(curves)
        for iteration, value in enumerate(printed):
            running.print(f"[{iteration}]\tvalidation-rmse:{value}")
        assert len(printed) == 2 or running.stopped.wait(10)
        return 0

    workers.program = program
    request = changed(TUNING, f"{CONFIG}.TrainingJobEarlyStoppingType", "Auto")
    described = tune(sagemaker, changed(request, f"{CONFIG}.ResourceLimits.MaxParallelTrainingJobs", 1))

    assert described["TrainingJobStatusCounters"]["Stopped"] == 1
    best = described["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    assert best == 9.0


def test_stopping_a_tuning_job_stops_its_trials(
    sagemaker: SageMaker, search: FakeSearch, workers: FakeWorkers, aws: FakeAws
) -> None:
    started = threading.Semaphore(0)

    def program(running: Running) -> int:
        started.release()
        assert running.stopped.wait(10)
        return 0

    workers.program = program
    sagemaker.call("CreateHyperParameterTuningJob", TUNING)
    assert started.acquire(timeout=10)
    assert started.acquire(timeout=10)
    sagemaker.call("StopHyperParameterTuningJob", NAME)
    described = sagemaker.wait("tuning", "tune", timeout=10)
    sagemaker.close()

    assert described["HyperParameterTuningJobStatus"] == "Stopped"
    assert described["TrainingJobStatusCounters"]["Stopped"] == 2
    kind = "SageMaker HyperParameter Tuning Job State Change"
    details = [json.loads(entry["Detail"]) for entry in aws.events.entries if entry["DetailType"] == kind]
    assert [each["HyperParameterTuningJobStatus"] for each in details] == [
        "InProgress",
        "Stopping",
        "Stopped",
    ]


def test_a_tuning_job_that_exceeds_its_time_limit_stops(
    sagemaker: SageMaker, search: FakeSearch, workers: FakeWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def program(running: Running) -> int:
        assert running.stopped.wait(10)
        return 0

    workers.program = program
    clock = itertools.chain([0.0], itertools.repeat(120.0))
    monkeypatch.setattr("local.sagemaker.tuning.time", SimpleNamespace(monotonic=lambda: next(clock)))
    described = tune(sagemaker, changed(TUNING, f"{CONFIG}.ResourceLimits.MaxRuntimeInSeconds", 120))

    assert described["HyperParameterTuningJobStatus"] == "Stopped"


def test_a_tuning_job_ends_when_its_target_is_reached(
    sagemaker: SageMaker, search: FakeSearch, workers: FakeWorkers
) -> None:
    workers.program = trial(lambda alpha: 10 - alpha)
    request = changed(TUNING, f"{CONFIG}.TuningJobCompletionCriteria", {"TargetObjectiveMetricValue": 8.0})
    described = tune(sagemaker, changed(request, f"{CONFIG}.ResourceLimits.MaxParallelTrainingJobs", 1))

    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["TrainingJobStatusCounters"]["Completed"] == 2


def test_a_grid_is_searched_point_by_point(
    sagemaker: SageMaker, workers: FakeWorkers, tmp_path: Path
) -> None:
    workers.program = trial(lambda alpha: alpha)
    request = changed(TUNING, f"{CONFIG}.Strategy", "Grid")
    ranges = {
        "CategoricalParameterRanges": [
            {"Name": "alpha", "Values": ["1", "2"]},
            {"Name": "booster", "Values": ["a", "b"]},
        ]
    }
    tune(sagemaker, changed(request, f"{CONFIG}.ParameterRanges", ranges))

    points = [tuple(each["TunedHyperParameters"].values()) for each in trials(sagemaker)]
    assert points == [("1", "a"), ("1", "b"), ("2", "a"), ("2", "b")]


def test_a_summary_of_tuning_jobs_shows_strategy_and_limits(
    sagemaker: SageMaker, search: FakeSearch, workers: FakeWorkers
) -> None:
    workers.program = trial(lambda alpha: alpha)
    tune(sagemaker)

    (summary,) = sagemaker.call("ListHyperParameterTuningJobs", {})["HyperParameterTuningJobSummaries"]
    assert summary["Strategy"] == "Bayesian"
    assert summary["ResourceLimits"] == TUNING[CONFIG]["ResourceLimits"]


def test_a_quota_counts_a_tuning_job_once_and_not_its_trials_too(
    make_sagemaker: MakeSageMaker, search: FakeSearch, workers: FakeWorkers
) -> None:
    sagemaker = make_sagemaker(**{"ml.m5.large for training job usage": 2})
    started = threading.Semaphore(0)

    def program(running: Running) -> int:
        started.release()
        assert running.stopped.wait(10)
        return 0

    workers.program = program
    sagemaker.call("CreateHyperParameterTuningJob", TUNING)
    assert started.acquire(timeout=10)
    assert started.acquire(timeout=10)

    with pytest.raises(
        ServiceError, match="with current utilization of 2 Instances and a request delta of 1"
    ):
        sagemaker.call("CreateTrainingJob", TRAINING)
