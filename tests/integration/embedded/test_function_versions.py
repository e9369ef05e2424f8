"""Versions and aliases of functions, as strict as on AWS."""

import io
import json
import uuid
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Aws, eventually

_CODE = """
import os

def handler(event, context):
    if event == "fail":
        raise ValueError("as asked")
    return os.environ["SAYS"]
"""
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


@pytest.fixture
def function(aws: Aws) -> Iterator[str]:
    """A function that returns its variable SAYS, at first "one"."""
    name = f"function-{uuid.uuid4().hex[:8]}"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("says.py", _CODE)
    role = aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST))
    aws.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler="says.handler",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"SAYS": "one"}},
    )
    settled(aws, name)
    yield name
    aws.client("lambda").delete_function(FunctionName=name)


def settled(aws: Aws, name: str) -> dict[str, Any]:
    """The function's configuration once no update is in progress."""

    def ready() -> dict[str, Any] | None:
        found: dict[str, Any] = aws.client("lambda").get_function_configuration(FunctionName=name)
        return found if found["LastUpdateStatus"] == "Successful" and found["State"] == "Active" else None

    found: dict[str, Any] = eventually(ready)
    return found


def say(aws: Aws, name: str, text: str) -> dict[str, Any]:
    """Change what the function says, and wait until it does."""
    aws.client("lambda").update_function_configuration(
        FunctionName=name, Environment={"Variables": {"SAYS": text}}
    )
    return settled(aws, name)


def publish(aws: Aws, name: str, text: str) -> str:
    say(aws, name, text)
    return str(aws.client("lambda").publish_version(FunctionName=name)["Version"])


def said(aws: Aws, name: str, event: Any = None) -> Any:
    answer = aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    return json.load(answer["Payload"])


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as refusal:
        call()
    return str(refusal.value.response["Error"]["Code"])


def test_a_change_during_an_update_is_refused(aws: Aws, function: str) -> None:
    client = aws.client("lambda")
    change = {"FunctionName": function, "Environment": {"Variables": {"SAYS": "two"}}}
    client.update_function_configuration(**change)
    assert refused(lambda: client.update_function_configuration(**change)) == "ResourceConflictException"
    assert refused(lambda: client.publish_version(FunctionName=function)) == "ResourceConflictException"


def test_a_stale_revision_changes_and_publishes_nothing(aws: Aws, function: str) -> None:
    client = aws.client("lambda")
    stale = settled(aws, function)["RevisionId"]
    say(aws, function, "two")
    for call in (client.update_function_configuration, client.publish_version):
        assert (
            refused(lambda call=call: call(FunctionName=function, RevisionId=stale))  # type: ignore[misc]
            == "PreconditionFailedException"
        )
    digest = "A" * 43 + "="
    assert (
        refused(lambda: client.publish_version(FunctionName=function, CodeSha256=digest))
        == "InvalidParameterValueException"
    )
    assert [
        each["Version"] for each in client.list_versions_by_function(FunctionName=function)["Versions"]
    ] == ["$LATEST"]


def test_a_version_stays_as_it_was_published(aws: Aws, function: str) -> None:
    first = publish(aws, function, "first")
    assert aws.client("lambda").publish_version(FunctionName=function)["Version"] == first
    second = publish(aws, function, "second")
    assert [said(aws, f"{function}:{version}") for version in (first, second)] == ["first", "second"]


def test_an_alias_leads_to_versions_that_exist(aws: Aws, function: str) -> None:
    client = aws.client("lambda")
    first, second, third = (publish(aws, function, text) for text in ("first", "second", "third"))
    alias = {"FunctionName": function, "Name": "live"}
    assert refused(lambda: client.create_alias(**alias, FunctionVersion="99")) == "ResourceNotFoundException"
    client.create_alias(**alias, FunctionVersion=first)
    for wrong in ({second: 0.1, third: 0.1}, {second: 1.5}, {first: 0.5}):
        routing = {"AdditionalVersionWeights": wrong}
        assert (
            refused(lambda routing=routing: client.update_alias(**alias, RoutingConfig=routing))  # type: ignore[misc]
            == "InvalidParameterValueException"
        )
    assert (
        refused(lambda: client.delete_function(FunctionName=function, Qualifier=first))
        == "ResourceConflictException"
    )


def test_an_alias_routes_by_weight_and_counts_each_version(aws: Aws, function: str) -> None:
    client = aws.client("lambda")
    first, second = publish(aws, function, "first"), publish(aws, function, "second")
    client.create_alias(FunctionName=function, Name="live", FunctionVersion=first)
    assert said(aws, f"{function}:live") == "first"
    # Everything goes to the second version.
    weights = {"AdditionalVersionWeights": {second: 1.0}}
    client.update_alias(FunctionName=function, Name="live", RoutingConfig=weights)
    assert said(aws, f"{function}:live") == "second"
    assert said(aws, f"{function}:live", "fail")["errorType"]
    assert errors(aws, function, second) == 1
    assert errors(aws, function, first) == 0


def errors(aws: Aws, function: str, version: str) -> float:
    now = datetime.now(UTC)
    dimensions = {"FunctionName": function, "Resource": f"{function}:live", "ExecutedVersion": version}
    found = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in found["Datapoints"]))
