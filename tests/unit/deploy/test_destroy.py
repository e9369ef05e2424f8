"""Failures while a stack is being deleted."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3 import s3_backends

from deploy.destroy import agreed, delete_bucket, delete_stack, disable_schedule
from deploy.problems import Trouble


class CloudFormation:
    """Passes through these states, one per request."""

    def __init__(self, *states: str) -> None:
        self._states = list(states)

    def delete_stack(self, StackName: str) -> None:  # noqa: N803 - as boto3 calls it
        """Starts the deletion."""

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        if not self._states:
            raise ClientError(
                {"Error": {"Code": "ValidationError", "Message": f"Stack {StackName} does not exist"}},
                "DescribeStacks",
            )
        return {"Stacks": [{"StackStatus": self._states.pop(0)}]}

    def describe_stack_events(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {
            "StackEvents": [
                {
                    "LogicalResourceId": "Table",
                    "ResourceStatus": "DELETE_FAILED",
                    "ResourceStatusReason": "in use",
                },
                {"LogicalResourceId": "Rule", "ResourceStatus": "DELETE_COMPLETE"},
            ]
        }


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account in memory."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    # boto3's session has read what it knows of S3 once.
    with mock_aws(config={"core": {"reset_boto3_session": False}}):
        yield


@pytest.fixture
def s3(aws: None) -> Any:
    return boto3.client("s3", region_name="us-east-1")


@pytest.mark.usefixtures("aws")
def test_a_disabled_schedule_is_otherwise_as_it_was() -> None:
    scheduler = boto3.client("scheduler", region_name="us-east-1")
    target = {
        "Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:monitor",
        "RoleArn": "arn:aws:iam::123456789012:role/monitor",
        "Input": '{"reason": "schedule"}',
        "RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400},
    }
    scheduler.create_schedule(
        Name="daily",
        Description="Looks at what the live models saw.",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target,
    )
    before = scheduler.get_schedule(Name="daily")
    disable_schedule(scheduler, "daily")
    after = scheduler.get_schedule(Name="daily")
    assert (before["State"], after["State"]) == ("ENABLED", "DISABLED")
    changed = {"State", "LastModificationDate", "ResponseMetadata"}
    assert {key: after[key] for key in before if key not in changed} == {
        key: before[key] for key in before if key not in changed
    }


@pytest.mark.usefixtures("aws")
def test_a_schedule_that_is_gone_needs_no_disabling() -> None:
    disable_schedule(boto3.client("scheduler", region_name="us-east-1"), "gone")


def no_pause(seconds: float) -> None:
    """Instead of sleeping."""


def test_the_end_of_the_deletion_is_waited_for() -> None:
    pauses: list[float] = []
    delete_stack(
        CloudFormation("DELETE_IN_PROGRESS", "DELETE_IN_PROGRESS", "DELETE_COMPLETE"), "id", pauses.append
    )
    assert len(pauses) == 2


def test_a_stack_that_is_gone_is_deleted() -> None:
    delete_stack(CloudFormation(), "id", no_pause)


def test_cloudformations_reason_is_reported() -> None:
    with pytest.raises(Trouble, match="Table: in use"):
        delete_stack(CloudFormation("DELETE_IN_PROGRESS", "DELETE_FAILED"), "id", no_pause)


def test_a_deletion_that_takes_too_long_can_be_repeated() -> None:
    with pytest.raises(Trouble, match="DELETE_IN_PROGRESS"):
        delete_stack(CloudFormation(*["DELETE_IN_PROGRESS"] * 9), "id", no_pause, seconds=0)


def test_a_bucket_with_more_versions_than_one_request_may_delete_is_deleted(s3: Any) -> None:
    s3.create_bucket(Bucket="full")
    s3.put_bucket_versioning(Bucket="full", VersioningConfiguration={"Status": "Enabled"})
    for n in range(1005):
        # Requests for the same would take seconds.
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object("full", f"{n % 600}.csv", b"")
    s3.delete_object(Bucket="full", Key="0.csv")
    s3.create_multipart_upload(Bucket="full", Key="half.bin")
    assert delete_bucket(s3, "full") == 1006
    assert s3.list_buckets()["Buckets"] == []


class LateLogs:
    """S3 that delivers another access log just before the bucket is deleted, a given number of times."""

    def __init__(self, s3: Any, times: int) -> None:
        self._s3 = s3
        self._left = times

    def delete_bucket(self, Bucket: str) -> None:  # noqa: N803
        if self._left:
            self._left -= 1
            self._s3.put_object(Bucket=Bucket, Key=f"log-{self._left}", Body=b"")
        self._s3.delete_bucket(Bucket=Bucket)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._s3, name)


def test_a_log_that_arrives_while_the_bucket_is_deleted_is_deleted_too(s3: Any) -> None:
    s3.create_bucket(Bucket="access-logs")
    assert delete_bucket(LateLogs(s3, times=2), "access-logs") == 2
    assert s3.list_buckets()["Buckets"] == []


def test_a_bucket_that_never_gets_empty_is_reported(s3: Any) -> None:
    s3.create_bucket(Bucket="access-logs")
    with pytest.raises(Trouble, match="access-logs receives new objects while it is emptied"):
        delete_bucket(LateLogs(s3, times=1000), "access-logs")


@pytest.mark.parametrize(("typed", "agrees"), [("mpg", True), (" mpg ", True), ("yes", False), ("", False)])
def test_only_the_stacks_name_confirms(monkeypatch: pytest.MonkeyPatch, typed: str, agrees: bool) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: typed)
    assert agreed("mpg") is agrees


def test_without_a_person_at_the_terminal_nothing_is_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)
    assert not agreed("mpg")
