"""Monitoring: every branch, every Retry and Catch, and what one workload's failure means for the others."""

import hashlib
import json
from typing import Any

import pytest

from local.embedded.task_errors import TaskError
from runs.names import Attempt, read_attempt
from tests.statemachine.machine import EXECUTION_NAME, SUBSTITUTIONS, Ending, failed_job, raised
from tests.statemachine.monitor import (
    CALM,
    DIGEST,
    PACKAGE,
    RETRAIN,
    monitor,
    of,
    outcome,
    plan,
    planned,
)

LOOK = ["Is there anything new?", "Load workload", "Monitor", "Read findings digest", "Report", "Retrain?"]
ID = (
    "mpg-20261120-1200-"
    + (
        hashlib.sha256(
            f"arn:aws:states:us-east-1:000000000000:execution:pipeline:{EXECUTION_NAME}".encode()
        ).hexdigest()[:8]
    )
)
RETRAINS = {"RetrainFunctionArn": RETRAIN}
THROTTLED = TaskError("SageMaker.SageMakerException", "Rate exceeded")
CREATE_THROTTLED = TaskError("SageMaker.AmazonSageMakerException", "Rate exceeded")
NO_QUOTA = TaskError("SageMaker.ResourceLimitExceededException", "The account-level service limit is 0")
NO_CONCURRENCY = TaskError("Lambda.TooManyRequestsException", "Rate Exceeded.")
CRASHED = TaskError("Lambda.Unknown", "RequestId: 1 Error: Runtime exited")
TELLING = raised("InProgress", "monitoring#auto_mpg#0")
S3_BUSY = TaskError("S3.S3Exception", "SlowDown")
TWO = planned(plan("auto_mpg"), plan("digits"))


def option(ending: Ending, name: str) -> str:
    arguments = ending.arguments("Monitor")["AppSpecification"]["ContainerArguments"]
    return str(arguments[arguments.index(name) + 1])


def attempts(ending: Ending, state: str) -> int:
    return sum(call.state == state for call in ending.calls)


def test_a_look_at_one_workload_goes_through_every_step() -> None:
    ending = monitor()
    assert ending.status == "SUCCEEDED", ending.cause
    assert ending.output == {"workloads": [{"workload": "auto_mpg", "outcome": "fine", "drifted": False}]}
    assert ending.states == [
        "Plan monitoring",
        "Look at each workload",
        *LOOK,
        "Workload done",
        "Did every look succeed?",
        "Monitored",
    ]


def test_the_plan_is_for_all_workloads_up_to_the_start_of_the_execution() -> None:
    assert monitor().arguments("Plan monitoring")["Payload"] == {
        "monitoring_id": ID,
        "until": "2026-11-20T12:00:00.000Z",
        "workload": "",
    }


def test_somebody_may_ask_for_one_workload() -> None:
    ending = monitor(started_by={"workload": "digits", "reason": "request"})
    assert ending.arguments("Plan monitoring")["Payload"]["workload"] == "digits"


@pytest.mark.parametrize("todo", ["nothing_new", "no_model", "not_watched"])
def test_what_has_nothing_new_has_no_job_and_is_reported(todo: str) -> None:
    ending = monitor({"Plan monitoring": planned(plan(todo=todo)), "Report": outcome(todo)})
    assert ending.output["workloads"][0]["outcome"] == todo
    assert "Monitor" not in ending.states
    assert ending.arguments("Report")["Payload"]["digest"] == "none"


def test_without_any_workload_there_is_nothing_to_do() -> None:
    ending = monitor({"Plan monitoring": planned()})
    assert (ending.status, ending.output) == ("SUCCEEDED", {"workloads": []})


def test_the_job_gets_what_the_plan_says() -> None:
    ending = monitor()
    request = ending.arguments("Monitor")
    inputs = {each["InputName"]: each["S3Input"] for each in request["ProcessingInputs"]}
    assert inputs["seen"]["S3DataType"] == "ManifestFile"
    assert inputs["seen"]["S3Uri"] == plan()["seen_uri"]
    assert inputs["model"]["S3Uri"] == plan()["model_uri"]
    for name, value in {
        "--model-digest": plan()["model_digest"],
        "--model-arn": PACKAGE,
        "--since": plan()["since"],
        "--until": plan()["until"],
        "--drift-significance": "0.001",
        "--drift-distance": "0.1",
    }.items():
        assert option(ending, name) == value
    [output] = request["ProcessingOutputConfig"]["Outputs"]
    assert output["S3Output"]["S3Uri"].endswith(f"/monitoring/auto_mpg/{ID}")
    assert request["NetworkConfig"] == {"EnableNetworkIsolation": True}


@pytest.mark.parametrize(("workload", "image"), [("auto_mpg", "XGBoost"), ("digits", "PyTorchTraining")])
def test_the_image_is_that_of_the_evaluation_with_its_wheels(workload: str, image: str) -> None:
    request = monitor({"Plan monitoring": planned(plan(workload))}).arguments("Monitor")
    assert request["AppSpecification"]["ImageUri"] == SUBSTITUTIONS[f"{image}ImageUri"]
    assert request["ProcessingInputs"][-1]["InputName"] == "wheels"
    assert request["AppSpecification"]["ContainerArguments"][-2] == "--wheels"


def test_what_was_asked_before_comes_along_where_labels_came() -> None:
    uri = plan()["seen_uri"].replace("seen", "earlier")
    ending = monitor({"Plan monitoring": planned(plan(earlier_uri=uri))})
    inputs = {each["InputName"]: each["S3Input"] for each in ending.arguments("Monitor")["ProcessingInputs"]}
    assert list(inputs) == ["code", "model", "seen", "earlier", "wheels"]
    assert (inputs["earlier"]["S3Uri"], inputs["earlier"]["S3DataType"]) == (uri, "ManifestFile")
    assert option(ending, "--earlier") == inputs["earlier"]["LocalPath"]


def test_a_workload_may_need_no_wheels_and_an_instance_of_its_own() -> None:
    evaluation = {"image": "scikit-learn", "wheels": [], "instance_type": "ml.m5.xlarge"}
    request = monitor({"Load workload": {"Body": json.dumps({"evaluation": evaluation})}}).arguments(
        "Monitor"
    )
    assert [each["InputName"] for each in request["ProcessingInputs"]] == ["code", "model", "seen"]
    assert "--wheels" not in request["AppSpecification"]["ContainerArguments"]
    assert request["ProcessingResources"]["ClusterConfig"]["InstanceType"] == "ml.m5.xlarge"


def test_under_a_key_volume_and_output_are_encrypted() -> None:
    key = "arn:aws:kms:us-east-1:000000000000:key/1"
    request = monitor(substitutions={"KmsKeyArn": key}).arguments("Monitor")
    assert request["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == key
    assert request["ProcessingOutputConfig"]["KmsKeyId"] == key


def test_each_workloads_job_has_a_name_of_its_own_that_functions_can_read() -> None:
    ending = monitor({"Plan monitoring": TWO, "Monitor": [CREATE_THROTTLED, CALM["Monitor"]]})
    names = [call.arguments["ProcessingJobName"] for call in ending.calls if call.state == "Monitor"]
    assert names == [f"{ID}-monitor-0-0-0", f"{ID}-monitor-0-0-1", f"{ID}-monitor-1-0-0"]
    assert [read_attempt(name) for name in names] == [
        Attempt(ID, "monitor-0", 0, 0),
        Attempt(ID, "monitor-0", 0, 1),
        Attempt(ID, "monitor-1", 0, 0),
    ]


def test_the_report_gets_the_digest_that_the_job_reported() -> None:
    payload = monitor().arguments("Report")["Payload"]
    assert (payload["digest"], payload["monitoring_id"], payload["plan"]) == (DIGEST, ID, plan())
    assert payload["execution_arn"].endswith(EXECUTION_NAME)


def test_without_a_reported_digest_the_report_gets_none() -> None:
    assert monitor({"Read findings digest": {}}).arguments("Report")["Payload"]["digest"] == "none"


def test_a_drift_asks_for_a_retraining_where_that_is_on() -> None:
    ending = monitor({"Report": outcome("found", drifted=True)}, substitutions=RETRAINS)
    assert ending.arguments("Retrain") == {
        "FunctionName": RETRAIN,
        "Payload": {"workload": "auto_mpg", "reason": "drift"},
    }
    [done] = ending.output["workloads"]
    assert done["retraining"] == {"started": "arn:execution", "why_not": ""}
    assert done["outcome"] == "found"


@pytest.mark.parametrize(("drifted", "substitutions"), [(True, {}), (False, RETRAINS)])
def test_no_drift_or_no_function_means_no_retraining(drifted: bool, substitutions: dict[str, str]) -> None:
    ending = monitor({"Report": outcome("found", drifted=drifted)}, substitutions=substitutions)
    assert "Retrain" not in ending.states
    assert ending.status == "SUCCEEDED"


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("Plan monitoring", NO_CONCURRENCY),
        ("Plan monitoring", CRASHED),
        ("Load workload", S3_BUSY),
        ("Monitor", CREATE_THROTTLED),
        ("Monitor", NO_QUOTA),
        ("Read findings digest", THROTTLED),
        ("Report", TELLING),
        ("Report", NO_CONCURRENCY),
        ("Report", CRASHED),
        ("Retrain", NO_CONCURRENCY),
        ("Retrain", CRASHED),
    ],
)
def test_a_transient_fault_is_retried(state: str, error: TaskError) -> None:
    drifted = {"Report": outcome("found", drifted=True)}
    answers = {**CALM, **drifted}
    ending = monitor({**drifted, state: [error, error, answers[state]]}, substitutions=RETRAINS)
    assert ending.status == "SUCCEEDED", ending.cause
    assert attempts(ending, state) == 3


@pytest.mark.parametrize(
    ("state", "error", "expected"),
    [
        ("Plan monitoring", NO_CONCURRENCY, 241),
        ("Plan monitoring", CRASHED, 7),
        ("Load workload", S3_BUSY, 7),
        ("Monitor", failed_job("too little memory"), 1),
        ("Monitor", TaskError("States.Timeout", ""), 1),
        ("Monitor", NO_QUOTA, 31),
        ("Monitor", CREATE_THROTTLED, 21),
        ("Read findings digest", THROTTLED, 7),
        ("Report", raised("FindingsRefused", "monitoring.json was changed"), 1),
        # Longer than a claim to send a mail lasts, for one that died with it.
        ("Report", TELLING, 9),
        ("Report", NO_CONCURRENCY, 241),
        ("Report", CRASHED, 7),
        ("Retrain", NO_CONCURRENCY, 241),
        ("Retrain", CRASHED, 7),
    ],
)
def test_no_fault_is_retried_for_ever(state: str, error: TaskError, expected: int) -> None:
    drifted = {"Report": outcome("found", drifted=True)}
    ending = monitor({**drifted, state: error}, substitutions=RETRAINS)
    assert ending.status == "FAILED"
    assert attempts(ending, state) == expected


def test_without_a_plan_the_execution_fails_where_it_can_be_redriven() -> None:
    ending = monitor({"Plan monitoring": CRASHED})
    assert (ending.error, ending.states[-1]) == ("Lambda.Unknown", "Plan monitoring")


@pytest.mark.parametrize(
    ("state", "failure", "why"),
    [
        ("Load workload", S3_BUSY, "Load workload: S3.S3Exception SlowDown"),
        ("Monitor", TaskError("States.Timeout", ""), "Monitor: States.Timeout "),
        ("Read findings digest", THROTTLED, "Read findings digest: SageMaker.SageMakerException Rate exceeded"),
        ("Report", raised("FindingsRefused", "monitoring.json was changed"), "monitoring.json was changed"),
        ("Report", CRASHED, "Report: Lambda.Unknown RequestId: 1 Error: Runtime exited"),
        ("Retrain", raised("KeyError", "'workload'"), "'workload'"),
        ("Retrain", CRASHED, "Retrain: Lambda.Unknown RequestId: 1 Error: Runtime exited"),
    ],
)  # fmt: skip
def test_a_failure_of_one_workload_does_not_stop_the_next(state: str, failure: TaskError, why: str) -> None:
    drifted = outcome("found", drifted=True)
    good = {**CALM, "Report": drifted}
    answers = {"Plan monitoring": TWO, "Report": drifted, state: of("auto_mpg", failure, good[state])}
    if state == "Read findings digest":
        answers[state] = [failure] * 7 + [good[state]]
    ending = monitor(answers, substitutions=RETRAINS)
    assert (ending.status, ending.error) == ("FAILED", "MonitoringFailed")
    assert ending.cause == f"auto_mpg: {why}"
    assert ending.states.count("Workload failed") == 1
    assert ending.states[-4:] == ["Retrain", "Workload done", "Did every look succeed?", "Monitoring failed"]


def test_the_cause_names_the_job_that_failed_and_every_workload() -> None:
    reason = '{"ProcessingJobName": "mpg-1-monitor-0-0-0", "FailureReason": "out of memory"}'
    ending = monitor({"Plan monitoring": TWO, "Monitor": TaskError("States.TaskFailed", reason)})
    failed = "the job mpg-1-monitor-0-0-0 failed: out of memory"
    assert ending.cause == f"auto_mpg: {failed}\ndigits: {failed}"


def test_one_workload_is_looked_at_after_the_other() -> None:
    ending = monitor({"Plan monitoring": TWO})
    assert ending.states[2:-2] == [*LOOK, "Workload done"] * 2
    told: list[Any] = [each["workload"] for each in ending.output["workloads"]]
    assert told == ["auto_mpg", "digits"]
