"""What is retried, how often, and what is not."""

import pytest

from local.embedded.task_errors import TaskError
from local.embedded.tasks import TaskCall
from tests.statemachine.machine import CHAMPION, GOOD_DAY, Ending, failed_job, raised, run

THROTTLED = TaskError("SageMaker.SageMakerException", "Rate exceeded")
CREATE_THROTTLED = TaskError("SageMaker.AmazonSageMakerException", "Rate exceeded")
NO_QUOTA = TaskError("SageMaker.ResourceLimitExceededException", "The account-level service limit is 0")
NO_CONCURRENCY = TaskError("Lambda.TooManyRequestsException", "Rate Exceeded.")
CRASHED = TaskError("Lambda.Unknown", "RequestId: 1 Error: Runtime exited")
CALLS_A_FUNCTION = ["Check upload", "Keep model", "Ask for approval"]
RUNS_A_JOB = ["Preprocess", "Tune", "Evaluate", "Batch transform"]


def attempts(ending: Ending, state: str) -> int:
    return sum(call.state == state for call in ending.calls)


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("Claim upload", TaskError("DynamoDB.ThrottlingException", "slow down")),
        ("Count run", TaskError("DynamoDB.ThrottlingException", "slow down")),
        ("Check upload", CRASHED),
        ("Check upload", NO_CONCURRENCY),
        ("Load workload", TaskError("S3.S3Exception", "SlowDown")),
        ("Preprocess", CREATE_THROTTLED),
        ("Preprocess", NO_QUOTA),
        ("Read prepared digest", THROTTLED),
        ("Tune", CREATE_THROTTLED),
        ("Tune", NO_QUOTA),
        ("Find best model", THROTTLED),
        ("Find champion", THROTTLED),
        ("Read champion", THROTTLED),
        ("Evaluate", CREATE_THROTTLED),
        ("Evaluate", NO_QUOTA),
        ("Read evaluation digest", THROTTLED),
        ("Keep model", NO_CONCURRENCY),
        ("Create model", CREATE_THROTTLED),
        ("Batch transform", CREATE_THROTTLED),
        ("Batch transform", NO_QUOTA),
        ("Register model", THROTTLED),
        ("Ask for approval", NO_CONCURRENCY),
        ("Ask for approval", CRASHED),
    ],
)
def test_a_transient_fault_is_retried(state: str, error: TaskError) -> None:
    ending = run(
        {
            "Find champion": {"ModelPackageSummaryList": [{"ModelPackageArn": CHAMPION}]},
            state: [error, error, GOOD_DAY[state]],
        }
    )
    assert ending.output["outcome"] == "approved"
    assert attempts(ending, state) == 3


@pytest.mark.parametrize(
    ("state", "error", "expected"),
    [
        ("Claim upload", TaskError("DynamoDB.ConditionalCheckFailedException", "taken"), 1),
        ("Count run", TaskError("DynamoDB.ConditionalCheckFailedException", "enough"), 1),
        ("Check upload", raised("UploadRefused", "bad"), 1),
        ("Check upload", raised("RunTooExpensive", "dear"), 1),
        ("Check upload", NO_CONCURRENCY, 241),
        ("Check upload", CRASHED, 7),
        ("Load workload", TaskError("S3.S3Exception", "SlowDown"), 7),
        ("Preprocess", failed_job("bad data"), 1),
        ("Preprocess", CREATE_THROTTLED, 41),
        ("Preprocess", NO_QUOTA, 401),
        ("Tune", failed_job("bad data"), 1),
        ("Evaluate", failed_job("bad model"), 1),
        ("Evaluate", TaskError("States.Timeout", ""), 1),
        ("Keep model", raised("ArtifactRefused", "changed"), 1),
        ("Keep model", NO_CONCURRENCY, 241),
        ("Keep model", CRASHED, 7),
        ("Batch transform", failed_job("bad rows"), 1),
        ("Register model", THROTTLED, 6),
        ("Ask for approval", raised("NobodyToAsk", "nobody"), 1),
        ("Ask for approval", raised("ArtifactRefused", "changed"), 1),
        ("Ask for approval", raised("RequestNotScheduled", "not yet"), 7),
        ("Ask for approval", TaskError("States.Timeout", ""), 1),
        ("Ask for approval", NO_CONCURRENCY, 241),
        ("Ask for approval", CRASHED, 7),
    ],
)
def test_it_gives_up_after_a_sensible_number_of_attempts(state: str, error: TaskError, expected: int) -> None:
    assert attempts(run({state: error}), state) == expected


@pytest.mark.parametrize("state", RUNS_A_JOB)
def test_occasional_throttling_does_not_end_the_wait_for_a_quota(state: str) -> None:
    # A retrier counts over the state's whole life, so this exhausts both.
    waiting = [*[NO_QUOTA] * 10, CREATE_THROTTLED] * 40
    assert run({state: [*waiting, GOOD_DAY[state]]}).output["outcome"] == "approved"


@pytest.mark.parametrize("state", CALLS_A_FUNCTION)
def test_waiting_for_concurrency_does_not_use_up_the_retries_of_errors(state: str) -> None:
    waiting = [*[NO_CONCURRENCY] * 40, CRASHED] * 6
    assert run({state: [*waiting, GOOD_DAY[state]]}).output["outcome"] == "approved"


def test_each_attempt_to_ask_has_its_own_token() -> None:
    ending = run({"Ask for approval": [CRASHED, GOOD_DAY["Ask for approval"]]})
    tokens = [ending.arguments("Ask for approval", attempt)["Payload"]["task_token"] for attempt in (0, 1)]
    assert tokens[0] != tokens[1]


def test_a_payload_over_256_kib_is_refused_as_on_aws() -> None:
    ending = run({"Keep model": {"Payload": {"padding": "x" * 300_000}}})
    assert (ending.status, ending.error) == ("FAILED", "States.DataLimitExceeded")


def test_an_error_inside_the_embedded_step_functions_ends_the_execution() -> None:
    def break_down(call: TaskCall) -> None:
        raise KeyError("UnheardOf")

    ending = run({"Tune": break_down})
    assert (ending.status, ending.error) == ("FAILED", "States.Runtime")
    assert "UnheardOf" in str(ending.cause)
