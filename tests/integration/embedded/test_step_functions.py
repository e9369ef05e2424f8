"""The embedded Step Functions handles Lambda functions and jobs as AWS does."""

import html
import io
import json
import re
import uuid
import zipfile
from collections.abc import Callable
from typing import Any
from urllib.request import urlopen

import pytest

from tests.conftest import Aws, eventually

ROLE = "arn:aws:iam::000000000000:role/test"
CODE = """
import boto3, json, os

def refuse(event, context):
    raise ValueError("not this one")

def echo(event, context):
    return event

def answer(event, context):
    states = boto3.client("stepfunctions")
    states.send_task_success(taskToken=event["token"], output=json.dumps({"heard": event["said"]}))

def decline(event, context):
    boto3.client("stepfunctions").send_task_failure(taskToken=event["token"], error="Declined", cause="no")

def stay_silent(event, context):
    return None
"""


@pytest.fixture(scope="module")
def functions(aws: Aws) -> Callable[[str], str]:
    """The ARN of a function of CODE by its name."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("code_under_test.py", CODE)
    client = aws.client("lambda")

    def arn(name: str) -> str:
        try:
            return str(client.get_function(FunctionName=name)["Configuration"]["FunctionArn"])
        except client.exceptions.ResourceNotFoundException:
            made = client.create_function(
                FunctionName=name,
                Runtime="python3.13",
                Role=ROLE,
                Handler=f"code_under_test.{name}",
                Code={"ZipFile": archive.getvalue()},
                Timeout=20,
            )
            return str(made["FunctionArn"])

    return arn


def start(aws: Aws, task: dict[str, Any], state_input: Any = None) -> str:
    """Start an execution whose only state is this task; returns its ARN."""
    states = aws.client("stepfunctions")
    definition = {
        "QueryLanguage": "JSONata",
        "StartAt": "Only",
        "States": {"Only": {"Type": "Task", "End": True, **task}},
    }
    machine = states.create_state_machine(
        name=f"m{uuid.uuid4().hex}", definition=json.dumps(definition), roleArn=ROLE
    )
    started = states.start_execution(
        stateMachineArn=machine["stateMachineArn"], input=json.dumps(state_input or {})
    )
    return str(started["executionArn"])


def ending(aws: Aws, execution_arn: str) -> dict[str, Any]:
    states = aws.client("stepfunctions")

    def ended() -> Any:
        found = states.describe_execution(executionArn=execution_arn)
        return found if found["status"] != "RUNNING" else None

    found: dict[str, Any] = eventually(ended)
    return found


def invoke(arn: str, *, callback: bool = False, **more: Any) -> dict[str, Any]:
    payload = {"said": "hello"}
    if callback:
        payload["token"] = "{% $states.context.Task.Token %}"
    resource = "arn:aws:states:::lambda:invoke" + (".waitForTaskToken" if callback else "")
    return {"Resource": resource, "Arguments": {"FunctionName": arn, "Payload": payload}, **more}


def test_a_function_answers_with_its_payload(aws: Aws, functions: Callable[[str], str]) -> None:
    found = ending(aws, start(aws, invoke(functions("echo"), Output="{% $states.result.Payload.said %}")))
    assert (found["status"], found["output"]) == ("SUCCEEDED", '"hello"')


def test_a_function_that_raises_fails_the_task_by_the_name_of_its_error(
    aws: Aws, functions: Callable[[str], str]
) -> None:
    found = ending(aws, start(aws, invoke(functions("refuse"))))
    assert (found["status"], found["error"]) == ("FAILED", "ValueError")
    assert json.loads(found["cause"])["errorMessage"] == "not this one"


def test_a_function_that_raises_under_a_task_token_fails_the_task_instead_of_leaving_it_waiting(
    aws: Aws, functions: Callable[[str], str]
) -> None:
    found = ending(aws, start(aws, invoke(functions("refuse"), callback=True)))
    assert (found["status"], found["error"]) == ("FAILED", "ValueError")


def test_a_token_carries_the_result_back(aws: Aws, functions: Callable[[str], str]) -> None:
    found = ending(aws, start(aws, invoke(functions("answer"), callback=True)))
    assert json.loads(found["output"]) == {"heard": "hello"}


def test_a_token_carries_a_failure_back(aws: Aws, functions: Callable[[str], str]) -> None:
    found = ending(aws, start(aws, invoke(functions("decline"), callback=True)))
    assert (found["error"], found["cause"]) == ("Declined", "no")


def test_an_unused_token_times_out_after_a_limit_that_is_an_expression(
    aws: Aws, functions: Callable[[str], str]
) -> None:
    task = invoke(functions("stay_silent"), callback=True, TimeoutSeconds="{% $states.input.limit %}")
    assert ending(aws, start(aws, task, {"limit": 1}))["error"] == "States.Timeout"


def test_a_stopped_execution_releases_its_task(aws: Aws, functions: Callable[[str], str]) -> None:
    arn = start(aws, invoke(functions("stay_silent"), callback=True))
    states = aws.client("stepfunctions")
    eventually(
        lambda: "TaskStarted" in {e["type"] for e in states.get_execution_history(executionArn=arn)["events"]}
    )
    states.stop_execution(executionArn=arn)
    assert ending(aws, arn)["status"] == "ABORTED"


@pytest.mark.parametrize(
    ("create", "arguments", "field"),
    [
        ("createModel", "{'DeploymentRecommendation': {}}", "DeploymentRecommendation"),
        (
            "createHyperParameterTuningJob",
            "{'HyperParameterTuningJobConfig': {'RandomSeed': 1}}",
            "RandomSeed",
        ),
    ],
)
def test_a_computed_field_that_the_integration_does_not_know_fails_the_execution(
    aws: Aws, create: str, arguments: str, field: str
) -> None:
    task = {"Resource": f"arn:aws:states:::sagemaker:{create}", "Arguments": f"{{% {arguments} %}}"}
    found = ending(aws, start(aws, task))
    assert found["error"] == "States.Runtime"
    assert f"'{field}'" in found["cause"]


def test_a_refusal_of_the_service_has_the_error_name_of_aws(aws: Aws) -> None:
    task = {
        "Resource": "arn:aws:states:::sagemaker:createModel",
        "Arguments": {"ModelName": "no_underscores", "ExecutionRoleArn": ROLE},
    }
    found = ending(aws, start(aws, task))
    assert found["error"] == "SageMaker.AmazonSageMakerException"
    assert "modelName" in found["cause"]


def test_an_object_is_returned_as_text(aws: Aws) -> None:
    storage = aws.client("s3")
    storage.create_bucket(Bucket="texts")
    storage.put_object(Bucket="texts", Key="a.json", Body=b'{"mse": 8.5}')
    task = {
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Arguments": {"Bucket": "texts", "Key": "a.json"},
        "Output": "{% $parse($states.result.Body).mse %}",
    }
    assert ending(aws, start(aws, task))["output"] == "8.5"


def test_a_missing_object_has_the_error_name_of_aws(aws: Aws) -> None:
    aws.client("s3").create_bucket(Bucket="empty")
    task = {"Resource": "arn:aws:states:::aws-sdk:s3:getObject", "Arguments": {"Bucket": "empty", "Key": "a"}}
    assert ending(aws, start(aws, task))["error"] == "S3.NoSuchKeyException"


def test_an_item_is_put_once(aws: Aws) -> None:
    aws.client("dynamodb").create_table(
        TableName="claims",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    task = {
        "Resource": "arn:aws:states:::dynamodb:putItem",
        "Arguments": {
            "TableName": "claims",
            "Item": {"pk": {"S": "one"}},
            "ConditionExpression": "attribute_not_exists(pk)",
        },
    }
    assert ending(aws, start(aws, task))["status"] == "SUCCEEDED"
    assert ending(aws, start(aws, task))["error"] == "DynamoDB.ConditionalCheckFailedException"


def test_a_failed_execution_is_redriven_from_its_failed_task(aws: Aws) -> None:
    states = aws.client("stepfunctions")
    task = {
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Arguments": {"Bucket": "redriven", "Key": "a"},
        "Output": "{% $states.context.Execution.RedriveCount & $states.result.Body %}",
    }
    arn = start(aws, task)
    assert ending(aws, arn)["status"] == "FAILED"
    aws.client("s3").create_bucket(Bucket="redriven")
    aws.client("s3").put_object(Bucket="redriven", Key="a", Body=b" redrive")
    states.redrive_execution(executionArn=arn)
    found = ending(aws, arn)
    assert (found["output"], found["redriveCount"]) == ('"1 redrive"', 1)
    (listed,) = states.list_executions(stateMachineArn=found["stateMachineArn"])["executions"]
    assert listed["redriveCount"] == 1


def test_an_execution_that_succeeded_cannot_be_redriven(aws: Aws, functions: Callable[[str], str]) -> None:
    states = aws.client("stepfunctions")
    arn = start(aws, invoke(functions("echo")))
    assert ending(aws, arn)["status"] == "SUCCEEDED"
    with pytest.raises(states.exceptions.ExecutionNotRedrivable):
        states.redrive_execution(executionArn=arn)


def test_the_machines_own_time_limit_ends_the_execution(aws: Aws, functions: Callable[[str], str]) -> None:
    states = aws.client("stepfunctions")
    only = {"Type": "Task", "End": True, **invoke(functions("stay_silent"), callback=True)}
    definition = {
        "QueryLanguage": "JSONata",
        "TimeoutSeconds": 1,
        "StartAt": "Only",
        "States": {"Only": only},
    }
    machine = states.create_state_machine(name="short", definition=json.dumps(definition), roleArn=ROLE)
    started = states.start_execution(stateMachineArn=machine["stateMachineArn"])
    assert ending(aws, started["executionArn"])["status"] == "TIMED_OUT"


def test_a_token_is_useless_once_its_task_has_timed_out(aws: Aws, functions: Callable[[str], str]) -> None:
    execution_arn = start(aws, invoke(functions("stay_silent"), callback=True, TimeoutSeconds=1))
    assert ending(aws, execution_arn)["error"] == "States.Timeout"
    states = aws.client("stepfunctions")
    events = states.get_execution_history(executionArn=execution_arn)["events"]
    (scheduled,) = [event for event in events if event["type"] == "TaskScheduled"]
    token = json.loads(scheduled["taskScheduledEventDetails"]["parameters"])["Payload"]["token"]
    with pytest.raises(states.exceptions.TaskTimedOut):
        states.send_task_success(taskToken=token, output="{}")


@pytest.mark.parametrize("value", ["[1]", '"text"', "1", "null", "true"])
def test_the_page_shows_executions_whatever_their_input_and_output_are(aws: Aws, value: str) -> None:
    states = aws.client("stepfunctions")
    definition = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}
    machine = states.create_state_machine(
        name=f"m{uuid.uuid4().hex}", definition=json.dumps(definition), roleArn=ROLE
    )
    started = states.start_execution(stateMachineArn=machine["stateMachineArn"], input=value)
    assert json.loads(ending(aws, started["executionArn"])["output"]) == json.loads(value)
    execution = started["executionArn"].rpartition(":")[2]
    with urlopen(aws.pages) as page:
        link = re.search(f"executions/m[0-9a-f]*/{execution}", page.read().decode())
    assert link
    with urlopen(f"{aws.pages}{link[0]}?state=Pass") as page:
        assert "style-src 'self'" in page.headers["content-security-policy"]
        assert f"<pre>{json.dumps(json.loads(value), indent=2)}</pre>" in html.unescape(page.read().decode())
