"""Following a release, asking the live model, and going back to an earlier version."""

import io
import json
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from deploy.problems import Trouble
from local.cli import deploy, release, rollback
from local.cli.endpoint import Endpoint
from local.cli.invoke import batches, predict
from local.cli.live import read_live
from local.cli.outcome import Result
from local.cli.screen import Screen
from tests.unit.cli.fakes import HistoryBook

GROUP = "arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg-local--spam"
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:mpg-local"
EXECUTION = "arn:execution:1"
LIVE: dict[str, Any] = {
    "pk": "live#spam",
    "package_arn": f"{GROUP}/2",
    "version": 2,
    "endpoint_type": "serverless",
    "endpoint_name": "mpg-local-spam",
    "since": "2026-01-05T12:00:00Z",
    "seconds": Decimal("3.21"),
    "smoke_test": {"rows": 20, "largest_difference": Decimal(0), "milliseconds": Decimal("2.5")},
    "previous": {"package_arn": f"{GROUP}/1", "version": 1},
}


class FakeAws(Endpoint):
    """An embedded AWS with a table, a release machine, approved packages and an endpoint that doubles numbers."""

    def __init__(self) -> None:
        super().__init__(1, "secret")
        object.__setattr__(self, "items", {})
        object.__setattr__(self, "history", HistoryBook())
        object.__setattr__(self, "statuses", {f"{GROUP}/1": "Approved", f"{GROUP}/2": "Approved"})
        object.__setattr__(self, "requests", [])

    items: dict[str, dict[str, Any]]
    history: HistoryBook
    statuses: dict[str, str]
    requests: list[Any]

    def put(self, item: dict[str, Any]) -> None:
        self.items[item["pk"]] = TypeSerializer().serialize(item)["M"]

    def ends(self, status: str, reason: str = "", version: int = 2) -> None:
        """The release machine leaves this record."""
        record = {"status": status, "execution_arn": EXECUTION, "reason": reason}
        self.put({"pk": f"release#{GROUP}/{version}", **record})
        self.history.add("TaskStateEntered", name="Wait for endpoint")
        self.history.add("ExecutionSucceeded" if status != "failed" else "ExecutionFailed")

    def client(self, service: str) -> Any:
        return self.history if service == "stepfunctions" and not hasattr(self, "start") else self

    # The calls that the code under test makes.

    def get_item(self, *, Key: Any, **_: Any) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        item = self.items.get(Key["pk"]["S"])
        return {"Item": item} if item else {}

    def describe_model_package(self, *, ModelPackageName: str) -> dict[str, Any]:  # noqa: N803
        if ModelPackageName not in self.statuses:
            raise ClientError(
                {"Error": {"Code": "ValidationException", "Message": "It does not exist."}}, "Describe"
            )
        return {"ModelApprovalStatus": self.statuses[ModelPackageName]}

    def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        rows = request["Body"].decode().splitlines()
        if "x" in rows:
            answer = {"Error": {"Code": "ModelError", "Message": "long"}, "OriginalMessage": "no number"}
            raise ClientError(answer, "InvokeEndpoint")  # type: ignore[arg-type]
        return {"Body": io.BytesIO("".join(f"{2 * int(row)}\n" for row in rows).encode())}

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        request = json.loads(Payload)
        self.requests.append(FunctionName)
        rows = request["body"].splitlines()
        if "x" in rows:
            answer: dict[str, Any] = {"status": 400, "error": "no number"}
        else:
            answer = {"status": 200, "body": "".join(f"{2 * int(row)}\n" for row in rows)}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


@pytest.fixture
def aws() -> FakeAws:
    return FakeAws()


@pytest.fixture
def screen() -> Screen:
    return Screen.on(stderr=False)


def follow(aws: FakeAws, screen: Screen, version: int = 2) -> release.Release:
    return release.follow(aws, screen, "table", "spam", f"{GROUP}/{version}")


def test_a_model_that_is_live_is_reported_with_its_endpoint_and_its_smoke_test(
    aws: FakeAws, screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.put(LIVE)
    aws.ends("live")
    found = follow(aws, screen)
    assert found.as_json() == {
        "name": "mpg-local-spam",
        "version": f"{GROUP}/2",
        "status": "live",
        "seconds": 3.21,
        "smoke_test": {"rows": 20, "largest_difference": 0.0},
    }
    release.show(screen, found)
    assert capsys.readouterr().out == (
        "Released: version 2 on endpoint mpg-local-spam in 3.2 s, smoke test of 20 rows, largest difference 0\n"
    )
    result = Result(outcome="approved")
    result.take_release(found)
    assert (result.exit_code, result.error) == (0, None)


def test_a_release_that_failed_leaves_the_outcome_and_changes_the_exit_code(
    aws: FakeAws, screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.put({**LIVE, "package_arn": f"{GROUP}/1", "version": 1})
    aws.ends("failed", "Row 3 differs.")
    found = follow(aws, screen)
    assert found.as_json() == {
        "name": "mpg-local-spam",
        "version": f"{GROUP}/2",
        "status": "failed",
        "seconds": None,
        "smoke_test": None,
    }
    release.show(screen, found)
    told = capsys.readouterr().out
    assert "The model was not released (failed).\nRow 3 differs.\n" in told
    assert "Version 1 is still live on endpoint mpg-local-spam." in told
    result = Result(outcome="approved")
    result.take_release(found)
    assert (result.outcome, result.exit_code, result.error, result.cause) == (
        "approved",
        2,
        "ReleaseFailed",
        "Row 3 differs.",
    )


def test_a_release_that_a_newer_approval_overtook_is_no_failure(aws: FakeAws, screen: Screen) -> None:
    aws.put({**LIVE, "package_arn": f"{GROUP}/3", "version": 3})
    aws.ends("superseded")
    result = Result(outcome="approved")
    result.take_release(follow(aws, screen))
    assert (result.exit_code, result.error) == (0, None)


def test_a_release_that_nothing_started_is_a_failure(
    aws: FakeAws, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "START_SECONDS", 0.0)
    found = follow(aws, screen)
    result = Result(outcome="approved")
    result.take_release(found)
    assert (found.record.status, result.exit_code) == ("not_started", 2)


def answers(aws: FakeAws, rows: list[str]) -> list[str]:
    live = read_live(aws, "table", "spam")
    assert live
    return list(predict(aws, live, {"content_type": "text/csv", "accept": "text/csv"}, rows))


def test_each_row_has_an_answer_in_as_few_requests_as_possible(
    aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.put(LIVE)
    rows = [str(number) for number in range(2500)]
    assert answers(aws, rows) == [str(2 * number) for number in range(2500)]
    assert [len(request["Body"].splitlines()) for request in aws.requests] == [1000, 1000, 500]
    assert {request["EndpointName"] for request in aws.requests} == {"mpg-local-spam"}


def test_long_rows_are_sent_in_bodies_that_a_serverless_endpoint_takes() -> None:
    row = "x" * 1_500_000
    assert [len(batch) for batch in batches([row] * 5)] == [2, 2, 1]
    assert list(batches([])) == []


def test_a_row_that_the_endpoint_refuses_is_named_with_its_reason(aws: FakeAws) -> None:
    aws.put(LIVE)
    with pytest.raises(Trouble, match="The endpoint mpg-local-spam refused row 1: no number"):
        answers(aws, ["x"])
    with pytest.raises(Trouble, match="refused rows 1001 to 1002: no number"):
        answers(aws, [*["1"] * 1001, "x"])


def test_a_function_answers_like_an_endpoint(aws: FakeAws) -> None:
    aws.put({**LIVE, "endpoint_type": "function", "endpoint_name": "mpg-local-serve:spam"})
    assert answers(aws, ["1", "2"]) == ["2", "4"]
    assert aws.requests == ["mpg-local-serve:spam"]
    with pytest.raises(Trouble, match="The endpoint mpg-local-serve:spam refused row 1: no number"):
        answers(aws, ["x"])


@pytest.fixture
def rolling(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    """Version 2 is live, version 1 was before; the machine releases what it is asked to."""

    def start(*, stateMachineArn: str, input: str) -> dict[str, str]:  # noqa: A002, N803 - as boto3 names it
        detail = json.loads(input)["detail"]
        aws.requests.append((stateMachineArn, json.loads(input)))
        version = int(detail["ModelPackageArn"].rpartition("/")[2])
        aws.put({**LIVE, "package_arn": detail["ModelPackageArn"], "version": version})
        aws.ends("live", version=version)
        return {"executionArn": EXECUTION}

    aws.put(LIVE)
    monkeypatch.setattr(aws.history, "start_execution", start, raising=False)
    monkeypatch.setattr(rollback, "running", lambda: aws)
    monkeypatch.setattr(deploy, "parameters", lambda _: {"DefaultWorkload": "spam"})
    monkeypatch.setattr(deploy, "outputs", lambda _: {"TableName": "table", "StateMachineArn": MACHINE})
    monkeypatch.setattr(rollback, "known_workload", lambda name: type("Spam", (), {"name": name}))
    return aws


def test_a_rollback_releases_the_version_before_and_follows_it(
    rolling: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rollback.roll_back(None, None) == 0
    detail = {"ModelPackageArn": f"{GROUP}/1", "reason": "rollback"}
    asked = {"detail-type": "Release Requested", "detail": detail}
    assert rolling.requests == [(f"{MACHINE}-release", asked)]
    assert "Released: version 1 on endpoint mpg-local-spam" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "version", "problem"),
    [
        ({"previous": {}}, None, "No version of spam was live before version 2"),
        ({}, 2, "Version 2 of spam is live already"),
        ({}, 9, "There is no version 9: It does not exist."),
        ({"statuses": {f"{GROUP}/1": "Rejected"}}, 1, "Version 1 of spam is Rejected"),
    ],
)
def test_a_rollback_to_what_cannot_be_released_starts_nothing(
    change: dict[str, Any],
    version: int | None,
    problem: str,
    rolling: FakeAws,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rolling.statuses.update(change.pop("statuses", {}))
    rolling.put({**LIVE, **change})
    assert rollback.roll_back(None, version) == 2
    assert problem in capsys.readouterr().out
    assert rolling.requests == []


def test_without_a_live_model_there_is_nothing_to_ask_or_to_roll_back(
    rolling: FakeAws, capsys: pytest.CaptureFixture[str]
) -> None:
    rolling.items.clear()
    assert rollback.roll_back("spam", None) == 2
    assert "No model of spam is live" in capsys.readouterr().out
