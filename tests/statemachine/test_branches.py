"""Every way through the pipeline."""

from collections.abc import Callable
from typing import Any

import pytest

from local.embedded.task_errors import TaskError
from local.embedded.tasks import TaskCall
from local.sagemaker.kinds import PACKAGE as PACKAGE_KIND
from local.sagemaker.listing import list_page
from local.sagemaker.store import Record
from tests.statemachine.machine import (
    BUCKET,
    CHAMPION,
    PACKAGE,
    SCRIPT_MODE,
    Answer,
    failed_job,
    kept,
    raised,
    run,
    workload,
)
from tests.statemachine.test_digests import option

GOOD_DAY_STATES = [
    "Claim upload",
    "Are runs limited?",
    "Count run",
    "Check upload",
    "Load workload",
    "Find prepared data",
    "Prepare data, or reuse?",
    "Preprocess",
    "Read prepared digest",
    "Find tuned model",
    "Tune, or reuse?",
    "Tune",
    "Find best model",
    "Find champion",
    "Is there a champion?",
    "Find evaluation",
    "Evaluate, or reuse?",
    "Evaluate",
    "Read evaluation digest",
    "Keep model",
    "Is the model good enough?",
    "Create model",
    "Batch transform",
    "Register model",
    "Was a file uploaded?",
    "Note accepted upload",
    "Remember results",
    "Ask for approval",
    "Approved?",
]


CHAMPION_FOUND: dict[str, Answer] = {
    "Find champion": {"ModelPackageSummaryList": [{"ModelPackageArn": CHAMPION}]}
}


def test_a_good_file_goes_through_every_step_to_the_approved_model() -> None:
    ending = run()
    assert ending.status == "SUCCEEDED"
    assert ending.states == [*GOOD_DAY_STATES, "Model approved"]


def test_the_output_has_what_the_mail_reports() -> None:
    output = run().output
    assert output["outcome"] == "approved"
    assert output["run_id"].startswith("mpg-20261120-1200-")
    assert output["upload"]["key"] == "incoming/cars.csv"
    assert output["workload"] == output["evaluation"]["workload"] == "auto_mpg"
    assert output["evaluation"] == kept(8.7)["Payload"]
    assert output["trials"] == 10
    assert output["best_hyperparameters"] == {"alpha": "0.2", "lambda": "3.1", "eta": "0.2"}
    assert output["model_package_arn"] == PACKAGE
    assert output["predictions_uri"].endswith(f"/runs/{output['run_id']}/predictions/batch.csv.out")
    assert output["decision"]["reviewer"] == "Ada"


def test_a_rejection_ends_the_execution_successfully_with_the_decision() -> None:
    ending = run({"Ask for approval": {"decision": "rejected", "reviewer": "Ada", "comment": "too few rows"}})
    assert (ending.status, ending.states[-1]) == ("SUCCEEDED", "Model rejected")
    assert ending.output["outcome"] == "rejected"
    assert ending.output["decision"]["comment"] == "too few rows"


def test_without_an_answer_the_execution_ends_successfully_as_expired() -> None:
    ending = run({"Ask for approval": TaskError("States.Timeout", "")})
    assert (ending.status, ending.states[-1]) == ("SUCCEEDED", "Approval expired")
    assert ending.output["outcome"] == "expired"


def test_a_decision_that_is_neither_fails() -> None:
    ending = run({"Ask for approval": {"decision": "perhaps"}})
    assert (ending.status, ending.error) == ("FAILED", "States.NoChoiceMatched")


def test_a_duplicate_event_starts_nothing() -> None:
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
    ending = run(CHAMPION_FOUND)
    assert "Read champion" in ending.states
    request = ending.arguments("Evaluate")
    assert [given["InputName"] for given in request["ProcessingInputs"]] == [
        "code",
        "model",
        "prepared",
        "champion",
        "wheels",
    ]
    assert option(request, "--champion") == "/opt/ml/processing/input/champion/model.tar.gz"
    assert option(request, "--champion-arn") == CHAMPION
    assert request["ProcessingInputs"][3]["S3Input"]["S3Uri"] == f"s3://{BUCKET}/models/old/model.tar.gz"


def versions(newest_first: list[str]) -> Callable[[TaskCall], Any]:
    """Lists versions with these approval statuses like the local SageMaker: takes a page, then filters it."""
    table = list(reversed(newest_first))
    records = [
        Record(
            PACKAGE_KIND,
            f"mpg-pipeline-auto-mpg/{number}",
            CHAMPION.replace("/7", f"/{number}"),
            {
                "ModelPackageArn": CHAMPION.replace("/7", f"/{number}"),
                "ModelPackageGroupName": "mpg-pipeline-auto-mpg",
                "ModelPackageVersion": number,
                "ModelApprovalStatus": status,
                "CreationTime": float(number),
            },
            {},
        )
        for number, status in enumerate(table, start=1)
    ]
    return lambda call: list_page("ListModelPackages", records, call.arguments)


@pytest.mark.parametrize("others", [1, 99, 100, 250])
def test_a_champion_is_found_behind_any_number_of_newer_versions(others: int) -> None:
    older = ["PendingManualApproval", "Approved", "Approved"]
    ending = run({"Find champion": versions(["Rejected"] * others + older)})

    assert ending.arguments("Read champion") == {"ModelPackageName": CHAMPION.replace("/7", "/2")}
    assert ending.status == "SUCCEEDED"


def test_without_an_approved_version_every_page_is_read_and_there_is_no_champion() -> None:
    ending = run({"Find champion": versions(["Rejected"] * 250)})

    assert ending.states.count("Find champion") == 3
    assert "Read champion" not in ending.states
    assert ending.states[-1] == "Model approved"


def bucket_with(*keys: str) -> Callable[[TaskCall], Any]:
    """Lists these keys, as S3 does."""
    return lambda call: {"KeyCount": sum(key.startswith(call.arguments["Prefix"]) for key in keys)}


@pytest.mark.parametrize(
    "specification",
    [
        {"Containers": [{"ModelDataUrl": f"s3://{BUCKET}/models/deleted/model.tar.gz"}]},
        {"Containers": [{"ModelDataUrl": f"s3://{BUCKET}/incoming/by-hand/model.tar.gz"}]},
        {"Containers": [{"ModelDataUrl": "s3://somewhere-else/models/old/model.tar.gz"}]},
        {"Containers": [{"Image": "one-with-its-model-inside"}]},
        None,
    ],
    ids=["deleted", "out of the jobs' reach", "in another bucket", "inside its image", "nowhere"],
)
def test_a_champion_whose_model_is_not_kept_is_named_but_is_no_input(specification: Any) -> None:
    package = {"ModelPackageArn": CHAMPION}
    ending = run(
        {
            **CHAMPION_FOUND,
            "Read champion": package | ({"InferenceSpecification": specification} if specification else {}),
            "Find champion model": bucket_with("incoming/by-hand/model.tar.gz", "models/old/model.tar.gz"),
        }
    )
    assert ending.status == "SUCCEEDED"
    request = ending.arguments("Evaluate")
    assert "champion" not in [given["InputName"] for given in request["ProcessingInputs"]]
    assert option(request, "--champion-arn") == CHAMPION


@pytest.mark.parametrize(
    ("value", "state"),
    [
        (45.999, "Model approved"),
        (46.0, "Model approved"),
        (46.001, "Model quality too low"),
        (1e9, "Model quality too low"),
    ],
)
def test_a_gate_of_at_most_lets_its_own_number_through(value: float, state: str) -> None:
    assert run({"Keep model": kept(value)}).states[-1] == state


@pytest.mark.parametrize(
    ("value", "state"),
    [(0.951, "Model approved"), (0.95, "Model approved"), (0.949, "Model quality too low"), (-1.0, "Model quality too low")],
)  # fmt: skip
def test_a_gate_of_at_least_lets_its_own_number_through(value: float, state: str) -> None:
    assert run({"Keep model": kept(value), "Load workload": SCRIPT_MODE}).states[-1] == state


def test_a_weak_model_ends_with_both_numbers_and_is_not_registered() -> None:
    ending = run({"Keep model": kept(50.125)})
    assert (ending.status, ending.error) == ("FAILED", "ModelQualityTooLow")
    assert ending.cause == "The metric on the test set is 50.125, above the 46 that the gate allows."
    assert "Register model" not in ending.states


def test_a_weak_model_can_also_be_below_its_gate() -> None:
    ending = run({"Keep model": kept(0.93333), "Load workload": SCRIPT_MODE})
    assert ending.cause == "The metric on the test set is 0.9333, below the 0.95 that the gate asks for."


def test_another_gate_lets_the_same_model_through() -> None:
    ending = run({"Keep model": kept(50.125), "Load workload": workload(gate={"at_most": 60.5})})
    assert ending.output["outcome"] == "approved"


@pytest.mark.parametrize("metrics", [[], [{"name": "another", "label": "Another metric", "value": 1.0}]])
def test_a_model_whose_gate_was_not_measured_is_not_registered(metrics: list[Any]) -> None:
    unmeasured = {"Payload": {**kept(1.0)["Payload"], "metrics": metrics}}
    ending = run({"Keep model": unmeasured})
    assert ending.status == "FAILED"
    assert "Register model" not in ending.states


QUOTED = 'incoming/cars.csv, line 14: horsepower is "abc"; expected a number or "?"'


def test_a_refused_upload_ends_with_the_sentence_for_a_person() -> None:
    ending = run({"Check upload": raised("UploadRefused", QUOTED)})
    assert (ending.status, ending.error, ending.cause) == ("FAILED", "UploadRefused", QUOTED)
    assert ending.states == [*GOOD_DAY_STATES[:4], "Upload refused"]


def test_a_run_that_is_too_expensive_ends_before_anything_else_is_done() -> None:
    ending = run({"Check upload": raised("RunTooExpensive", "about 4.00 USD")})
    assert (ending.status, ending.error, ending.cause) == ("FAILED", "RunTooExpensive", "about 4.00 USD")
    assert ending.states == [*GOOD_DAY_STATES[:4], "Run too expensive"]


OVER_LIMIT = TaskError("DynamoDB.ConditionalCheckFailedException", "The conditional request failed")


def test_beyond_the_days_limit_nothing_is_started() -> None:
    ending = run({"Count run": OVER_LIMIT})
    assert (ending.status, ending.error) == ("FAILED", "TooManyRuns")
    assert ending.cause == "100 runs were started on 2026-11-20 (UTC), as many as MaxRunsPerDay allows a day."
    assert ending.states == [*GOOD_DAY_STATES[:3], "Too many runs today"]


def test_without_a_limit_no_run_is_counted() -> None:
    ending = run({"Count run": OVER_LIMIT}, substitutions={"MaxRunsPerDay": "0"})
    assert ending.output["outcome"] == "approved"
    assert "Count run" not in ending.states


@pytest.mark.parametrize(
    ("state", "failure"),
    [
        ("Claim upload", TaskError("DynamoDB.ResourceNotFoundException", "no table")),
        ("Count run", TaskError("DynamoDB.ThrottlingException", "slow down")),
        ("Check upload", raised("KeyError", "'bucket'")),
        ("Load workload", TaskError("S3.NoSuchKeyException", "The specified key does not exist.")),
        ("Preprocess", failed_job("AlgorithmError: too few rows, exit code: 1")),
        ("Preprocess", TaskError("States.Timeout", "")),
        ("Tune", failed_job("All training jobs failed")),
        ("Find best model", TaskError("SageMaker.SageMakerException", "gone")),
        ("Find champion", TaskError("SageMaker.SageMakerException", "denied")),
        ("Read champion", TaskError("SageMaker.SageMakerException", "denied")),
        ("Find champion model", TaskError("S3.S3Exception", "denied")),
        ("Evaluate", failed_job("ClientError: no model")),
        ("Keep model", raised("ArtifactRefused", "runs/x/evaluation/model.tar.gz was changed")),
        ("Create model", TaskError("SageMaker.AmazonSageMakerException", "bad role")),
        ("Batch transform", failed_job("AlgorithmError: 8 columns")),
        ("Register model", TaskError("SageMaker.SageMakerException", "no group")),
        ("Ask for approval", raised("NobodyToAsk", "No address is confirmed.")),
        ("Ask for approval", raised("ArtifactRefused", "models/x/evaluation.json was changed")),
        ("Ask for approval", raised("RuntimeError", "boom")),
    ],
)
def test_a_failing_task_fails_the_execution_itself_so_that_it_can_be_redriven_from_there(
    state: str, failure: TaskError
) -> None:
    ending = run({**CHAMPION_FOUND, state: failure})
    assert (ending.status, ending.error, ending.cause) == ("FAILED", failure.error, failure.cause)
    assert ending.states[-1] == state
