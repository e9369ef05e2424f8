"""An event on which a function keeps failing is retried and then kept, as by Lambda on AWS."""

import io
import json
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Aws, eventually
from tests.integration.embedded.test_step_functions import ROLE

CODE = """
def handler(event, context):
    with open(event["detail"]["tries"], "a") as tries:
        tries.write("x")
    raise ValueError("as always")
"""


@pytest.fixture(scope="module")
def letters(aws: Aws) -> Iterator[str]:
    """The queue of a function that a rule calls and Lambda retries once; its source is "of.<queue's name>"."""
    name = f"letters-{uuid.uuid4().hex[:8]}"
    functions, queues, events = aws.client("lambda"), aws.client("sqs"), aws.client("events")
    queue = queues.create_queue(QueueName=name)["QueueUrl"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("code_under_test.py", CODE)
    function = functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=ROLE,
        Handler="code_under_test.handler",
        Code={"ZipFile": archive.getvalue()},
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    functions.put_function_event_invoke_config(
        FunctionName=name,
        MaximumRetryAttempts=1,
        DestinationConfig={
            "OnFailure": {"Destination": function.replace("lambda", "sqs").replace("function:", "")}
        },
    )
    rule = events.put_rule(Name=name, EventPattern=json.dumps({"source": [f"of.{name}"]}))["RuleArn"]
    functions.add_permission(
        FunctionName=name,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    events.put_targets(Rule=name, Targets=[{"Id": "function", "Arn": function}])
    yield queue
    events.remove_targets(Rule=name, Ids=["function"])
    events.delete_rule(Name=name)
    functions.delete_function(FunctionName=name)


def received(aws: Aws, queue: str) -> list[dict[str, Any]]:
    return [
        json.loads(found["Body"])
        for found in aws.client("sqs").receive_message(QueueUrl=queue).get("Messages", [])
    ]


def test_an_event_on_which_a_function_fails_is_retried_and_then_kept(
    aws: Aws, letters: str, tmp_path: Path
) -> None:
    tries, source = tmp_path / "tries", f"of.{letters.rpartition('/')[2]}"
    detail = {"tries": str(tries)}
    entry = {"Source": source, "DetailType": "Test", "Detail": json.dumps(detail)}
    aws.client("events").put_events(Entries=[entry])
    [letter] = eventually(lambda: received(aws, letters))
    assert letter["requestPayload"]["detail"] == detail
    assert letter["responsePayload"]["errorMessage"] == "as always"
    assert tries.read_text() == "xx"
