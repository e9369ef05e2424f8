"""Every way through the pipeline."""

import json

import pytest

from local.embedded.task_errors import TaskError
from tests.statemachine.machine import CHAMPION, PACKAGE, Answer, evaluation, failed_job, raised, run

GOOD_DAY_STATES = [
    "Claim upload",
    "Check upload",
    "Preprocess",
    "Tune",
    "Find best model",
    "Find champion",
    "Is there a champion?",
    "Evaluate",
    "Read evaluation",
    "Is MSE within the threshold?",
    "Create model",
    "Batch transform",
    "Register model",
    "Ask for approval",
    "Approved?",
]


def test_a_good_file_goes_through_every_step_to_the_approved_model() -> None:
    ending = run()
    assert ending.status == "SUCCEEDED"
    assert ending.states == [*GOOD_DAY_STATES, "Model approved"]


def test_the_output_tells_what_people_are_told() -> None:
    output = run().output
    assert output["outcome"] == "approved"
    assert output["run_id"].startswith("mpg-20261120-1200-")
    assert output["upload"]["key"] == "incoming/cars.csv"
    assert output["evaluation"]["regression_metrics"]["mse"]["value"] == 8.7
    assert "test_predictions" not in output["evaluation"]
    assert output["threshold"] == 46
    assert output["trials"] == 10
    assert output["best_hyperparameters"] == {"alpha": "0.2", "lambda": "3.1", "eta": "0.2"}
    assert output["model_package_arn"] == PACKAGE
    assert output["predictions_uri"].endswith(f"/runs/{output['run_id']}/predictions/batch.csv.out")
    assert output["decision"]["reviewer"] == "Ada"


def test_a_rejection_ends_the_execution_well_with_the_decision() -> None:
    ending = run({"Ask for approval": {"decision": "rejected", "reviewer": "Ada", "comment": "too few rows"}})
    assert (ending.status, ending.states[-1]) == ("SUCCEEDED", "Model rejected")
    assert ending.output["outcome"] == "rejected"
    assert ending.output["decision"]["comment"] == "too few rows"


def test_nobody_answering_ends_the_execution_well_as_expired() -> None:
    ending = run({"Ask for approval": TaskError("States.Timeout", "")})
    assert (ending.status, ending.states[-1]) == ("SUCCEEDED", "Approval expired")
    assert ending.output["outcome"] == "expired"


def test_a_decision_that_is_neither_fails() -> None:
    ending = run({"Ask for approval": {"decision": "perhaps"}})
    assert (ending.status, ending.error) == ("FAILED", "States.NoChoiceMatched")


def test_an_event_that_came_before_starts_nothing() -> None:
    ending = run(
        {
            "Claim upload": TaskError(
                "DynamoDB.ConditionalCheckFailedException", "The conditional request failed"
            )
        }
    )
    assert ending.status == "SUCCEEDED"
    assert ending.states == ["Claim upload", "Already processed"]
    assert ending.output == {"outcome": "already_processed"}


def test_a_champion_is_measured_on_the_same_rows() -> None:
    ending = run({"Find champion": {"ModelPackageSummaryList": [{"ModelPackageArn": CHAMPION}]}})
    assert "Read champion" in ending.states
    request = ending.arguments("Evaluate")
    assert [given["InputName"] for given in request["ProcessingInputs"]] == [
        "code",
        "model",
        "prepared",
        "champion",
    ]
    assert request["AppSpecification"]["ContainerArguments"][-4:] == [
        "--champion",
        "/opt/ml/processing/input/champion/model.tar.gz",
        "--champion-arn",
        CHAMPION,
    ]


@pytest.mark.parametrize(
    ("mse", "state"),
    [
        (45.999, "Model approved"),
        (46.0, "Model approved"),
        (46.001, "Model quality too low"),
        (1e9, "Model quality too low"),
    ],
)
def test_the_threshold_itself_is_good_enough(mse: float, state: str) -> None:
    assert run({"Read evaluation": {"Body": json.dumps(evaluation(mse))}}).states[-1] == state


def test_a_weak_model_ends_with_both_numbers_and_is_not_registered() -> None:
    ending = run({"Read evaluation": {"Body": json.dumps(evaluation(50.125))}})
    assert (ending.status, ending.error) == ("FAILED", "ModelQualityTooLow")
    assert ending.cause == "The mean squared error on the test set is 50.125, above the threshold of 46."
    assert "Register model" not in ending.states


def test_a_higher_threshold_lets_the_same_model_through() -> None:
    ending = run(
        {"Read evaluation": {"Body": json.dumps(evaluation(50.125))}}, substitutions={"MseThreshold": "60.5"}
    )
    assert ending.output["outcome"] == "approved"
    assert ending.output["threshold"] == 60.5


QUOTED = 'incoming/cars.csv, line 14: horsepower is "abc"; expected a number or "?"'


@pytest.mark.parametrize(
    ("state", "answer", "error", "cause"),
    [
        ("Claim upload", TaskError("DynamoDB.ResourceNotFoundException", "no table"), "ClaimFailed", "no table"),
        ("Check upload", raised("UploadRefused", QUOTED), "UploadRefused", QUOTED),
        ("Check upload", raised("KeyError", "'bucket'"), "UploadCheckFailed", "'bucket'"),
        ("Preprocess", failed_job("AlgorithmError: too few rows, exit code: 1"), "PreprocessingFailed", "AlgorithmError: too few rows, exit code: 1"),
        ("Preprocess", TaskError("States.Timeout", ""), "PreprocessingFailed", "The step did not end within its time limit."),
        ("Tune", failed_job("All training jobs failed"), "TuningFailed", "All training jobs failed"),
        ("Tune", TaskError("States.Timeout", ""), "TuningFailed", "The step did not end within its time limit."),
        ("Find best model", TaskError("SageMaker.SageMakerException", "gone"), "TuningFailed", "gone"),
        ("Find champion", TaskError("SageMaker.SageMakerException", "denied"), "EvaluationFailed", "denied"),
        ("Evaluate", failed_job("ClientError: no model"), "EvaluationFailed", "ClientError: no model"),
        ("Read evaluation", TaskError("S3.NoSuchKeyException", "no such key"), "EvaluationFailed", "no such key"),
        ("Create model", TaskError("SageMaker.AmazonSageMakerException", "bad role"), "BatchTransformFailed", "bad role"),
        ("Batch transform", failed_job("AlgorithmError: 8 columns"), "BatchTransformFailed", "AlgorithmError: 8 columns"),
        ("Register model", TaskError("SageMaker.SageMakerException", "no group"), "RegistrationFailed", "no group"),
        ("Ask for approval", raised("NobodyToAsk", "No address is confirmed."), "NobodyToAsk", "No address is confirmed."),
        ("Ask for approval", raised("RuntimeError", "boom"), "ApprovalRequestFailed", "boom"),
    ],
)  # fmt: skip
def test_a_failing_step_ends_with_its_name_and_its_own_reason(
    state: str, answer: Answer, error: str, cause: str
) -> None:
    ending = run({state: answer})
    assert (ending.status, ending.error, ending.cause) == ("FAILED", error, cause)
    assert ending.states[-1] == "Pipeline failed"


def test_a_champion_that_cannot_be_read_fails_the_evaluation() -> None:
    ending = run(
        {
            "Find champion": {"ModelPackageSummaryList": [{"ModelPackageArn": CHAMPION}]},
            "Read champion": TaskError("SageMaker.SageMakerException", "gone"),
        }
    )
    assert (ending.error, ending.cause) == ("EvaluationFailed", "gone")


def test_a_failed_tuning_tells_the_first_failed_trial() -> None:
    ending = run(
        {
            "Tune": failed_job("All training jobs failed"),
            "Find failed trial": {
                "TrainingJobSummaries": [{"FailureReason": "ClientError: a label is missing"}]
            },
        }
    )
    assert (ending.error, ending.cause) == ("TuningFailed", "ClientError: a label is missing")
    assert (
        ending.arguments("Find failed trial")["HyperParameterTuningJobName"]
        == ending.arguments("Tune")["HyperParameterTuningJobName"]
    )


def test_a_failed_tuning_keeps_its_reason_when_the_trials_cannot_be_listed() -> None:
    ending = run(
        {
            "Tune": failed_job("All training jobs failed"),
            "Find failed trial": TaskError("SageMaker.SageMakerException", "denied"),
        }
    )
    assert (ending.error, ending.cause) == ("TuningFailed", "All training jobs failed")


@pytest.mark.parametrize("stopping", [{}, TaskError("SageMaker.SageMakerException", "denied")])
def test_a_batch_transform_out_of_time_is_stopped(stopping: Answer) -> None:
    ending = run({"Batch transform": TaskError("States.Timeout", ""), "Stop batch transform": stopping})
    assert ending.states[-2:] == ["Stop batch transform", "Pipeline failed"]
    assert ending.error == "BatchTransformFailed"
    assert ending.arguments("Stop batch transform") == {
        "TransformJobName": ending.arguments("Batch transform")["TransformJobName"]
    }


def test_an_evaluation_that_is_no_json_fails_the_evaluation() -> None:
    ending = run({"Read evaluation": {"Body": "{"}})
    assert ending.error == "EvaluationFailed"
