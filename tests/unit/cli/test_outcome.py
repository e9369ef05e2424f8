import json
from dataclasses import replace

import pytest

from common.evaluation import Baseline, Champion, Evaluation, Gate, Metric
from common.workload import Workload
from costs.run_costs import RunCost
from local.cli.history import Ended
from local.cli.outcome import Result
from tests.evaluation import CHANGE, DRIFT, DRIFTED


@pytest.mark.parametrize(
    ("outcome", "exit_code"), [("approved", 0), ("rejected", 0), ("expired", 0), ("already_processed", 0)]
)
def test_the_outcome_of_a_success_is_the_executions_output(outcome: str, exit_code: int) -> None:
    result = Result()
    result.take_end(Ended("SUCCEEDED", {"outcome": outcome}, "", ""))
    assert (result.outcome, result.exit_code, result.error) == (outcome, exit_code, None)


@pytest.mark.parametrize(
    ("error", "outcome", "exit_code"),
    [
        ("UploadRefused", "refused", 1),
        ("TooManyRuns", "over_limit", 1),
        ("RunTooExpensive", "too_expensive", 1),
        ("ModelQualityTooLow", "below_threshold", 1),
        ("PreprocessingFailed", "failed", 2),
        ("TuningFailed", "failed", 2),
        ("NobodyToAsk", "failed", 2),
        ("States.Runtime", "failed", 2),
    ],
)
def test_the_outcome_of_a_failure_follows_from_its_error_name(
    error: str, outcome: str, exit_code: int
) -> None:
    result = Result()
    result.take_end(Ended("FAILED", {}, error, "because"))
    assert (result.outcome, result.exit_code, result.error, result.cause) == (
        outcome,
        exit_code,
        error,
        "because",
    )


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT"])
def test_the_outcome_without_an_error_name_follows_from_the_status(status: str) -> None:
    result = Result()
    result.take_end(Ended(status, {}, "", ""))  # type: ignore[arg-type]
    assert (result.outcome, result.exit_code, result.error) == ("failed", 2, status)


def test_a_success_without_an_output_counts_as_a_failure() -> None:
    result = Result()
    result.take_end(Ended("SUCCEEDED", {}, "", ""))
    assert result.exit_code == 2


def test_the_cost_is_told_by_step_and_in_all_and_is_null_before_it_is_known() -> None:
    result = Result(estimate_usd=0.4)
    assert (result.as_json()["cost_usd"], result.as_json()["estimate_usd"]) == (None, 0.4)
    result.cost = RunCost(0.3, {"preprocess": 0.1, "tune": 0.2})
    assert result.as_json()["cost_usd"] == {"total": 0.3, "preprocess": 0.1, "tune": 0.2}


def test_a_request_left_open_on_purpose_is_a_success() -> None:
    assert Result(outcome="pending").exit_code == 0


GATE = {"metric": "f1", "at_least": 0.9, "parameter": "LowestF1"}
SETTINGS = {"title": "Spam", "upload": {"suffixes": [".csv"]}, "gate": GATE}
EVALUATION = Evaluation(
    workload="spam",
    metrics=[Metric("f1", "F1", 0.93, better="higher"), Metric("recall", "Recall", 0.97, better="higher")],
    gate=Gate("f1", at_least=0.95),
    baseline=Baseline("saying no", 0.1),
)


def test_the_json_object_has_every_field_whatever_was_reached() -> None:
    assert set(Result().as_json()) == {
        *("outcome", "workload", "execution_arn", "error", "cause", "metrics", "gate", "trials", "reused"),
        *("best_hyperparameters", "model_package_arn", "predictions", "predictions_uri", "mails", "endpoint"),
        *("seconds", "drift", "champion", "reason", "cost_usd", "estimate_usd"),
    }


@pytest.mark.parametrize(("parameters", "limit"), [({}, 0.9), ({"LowestF1": "0.8"}, 0.8)])
def test_what_is_asked_of_a_model_is_known_before_it_is_measured(
    parameters: dict[str, str], limit: float
) -> None:
    result = Result()
    result.take_workload(Workload("spam", SETTINGS), parameters)
    found = result.as_json()
    assert (found["workload"], found["metrics"]) == ("spam", {})
    assert found["gate"] == {"metric": "f1", "at_least": limit, "passed": None}
    assert (found["f1"], found["threshold"], found["baseline_f1"]) == (None, limit, None)


def test_the_figures_are_those_of_the_evaluation() -> None:
    result = Result()
    result.take_workload(Workload("spam", SETTINGS), {})
    result.take_evaluation(EVALUATION)
    found = result.as_json()
    assert found["metrics"] == {"f1": 0.93, "recall": 0.97}
    assert found["gate"] == {"metric": "f1", "at_least": 0.95, "passed": False}
    assert (found["f1"], found["recall"], found["threshold"], found["baseline_f1"]) == (0.93, 0.97, 0.95, 0.1)
    assert "evaluation" not in found


def test_the_json_object_says_how_the_upload_differs_and_how_the_approved_model_does_on_it() -> None:
    result = Result()
    result.take_evaluation(Evaluation.from_json(DRIFTED))
    found = result.as_json()
    assert json.loads(json.dumps(found)) == found
    assert found["drift"]["drifted"] is True
    assert found["drift"]["features"][2] == {
        "name": "weight",
        "test": "kolmogorov_smirnov",
        "statistic": 0.4127,
        "threshold": 0.1904,
        "drifted": True,
    }
    assert (found["drift"]["rows"], found["drift"]["baseline_rows"], found["drift"]["problem"]) == (
        184,
        398,
        "",
    )
    assert found["champion"] == {**CHANGE, "model_package_arn": DRIFT["model_package_arn"], "value": 9.1045}


def test_without_an_approved_model_there_is_no_drift_and_no_champion() -> None:
    result = Result()
    result.take_evaluation(EVALUATION)
    assert (result.as_json()["drift"], result.as_json()["champion"]) == (None, None)


def test_a_champion_whose_error_at_approval_is_unknown_has_no_figures_of_it() -> None:
    result = Result()
    result.take_evaluation(replace(EVALUATION, champion=Champion("arn", 0.9)))
    champion = result.as_json()["champion"]
    assert (champion["value"], champion["now"], champion["at_approval"]) == (0.9, None, None)
