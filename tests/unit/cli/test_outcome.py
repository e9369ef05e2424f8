import pytest

from local.cli.history import Ended
from local.cli.outcome import Result


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


def test_a_request_left_open_on_purpose_is_a_success() -> None:
    assert Result(outcome="pending").exit_code == 0


def test_the_json_object_always_has_every_field() -> None:
    assert set(Result().as_json()) == {
        *(
            "outcome",
            "execution_arn",
            "error",
            "cause",
            "mse",
            "rmse",
            "residual_standard_deviation",
            "threshold",
        ),
        *(
            "baseline_mse",
            "trials",
            "best_hyperparameters",
            "model_package_arn",
            "predictions",
            "predictions_uri",
        ),
        *("mails", "seconds"),
    }


def test_the_figures_are_those_of_the_evaluation() -> None:
    result = Result()
    result.take_evaluation(
        {
            "regression_metrics": {
                "mse": {"value": 8.7, "standard_deviation": 2.9},
                "rmse": {"value": 2.95},
            },
            "baseline": {"mse": 60.8},
        }
    )
    figures = (result.mse, result.residual_standard_deviation, result.rmse, result.baseline_mse)
    assert figures == (8.7, 2.9, 2.95, 60.8)
