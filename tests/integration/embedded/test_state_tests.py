"""TestState tries one state, as `aws stepfunctions test-state` does."""

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cli.endpoint import Endpoint
from tests.conftest import Aws
from tests.integration.embedded.test_step_functions import ROLE

LIST = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:listBuckets", "Next": "Then"}
NO_BUCKET = {**LIST, "Resource": "arn:aws:states:::aws-sdk:s3:headBucket", "Parameters": {"Bucket": "none"}}
ALL = ["States.ALL"]


def tried(aws: Aws, definition: dict[str, Any], given: Any = None, **more: Any) -> dict[str, Any]:
    # The effect of the exported AWS_DISABLE_HOST_PREFIX_INJECTION.
    client = aws.client("stepfunctions", inject_host_prefix=False)
    asked = {"definition": json.dumps(definition), "roleArn": ROLE, "input": json.dumps(given or {}), **more}
    found: dict[str, Any] = client.test_state(**asked)
    found.pop("ResponseMetadata")
    return found


def test_the_exports_let_the_cli_reach_it() -> None:
    assert Endpoint(1, "secret").variables()["AWS_DISABLE_HOST_PREFIX_INJECTION"] == "true"


@pytest.mark.parametrize(
    ("definition", "given", "found"),
    [
        ({"Type": "Pass", "Result": [1], "End": True}, {}, {"status": "SUCCEEDED", "output": "[1]"}),
        (
            {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.input.n + 1 %}", "Next": "Then"},
            {"n": 1},
            {"status": "SUCCEEDED", "output": "2", "nextState": "Then"},
        ),
        (
            {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "One"}], "Default": "No"},
            {"n": 1},
            {"status": "SUCCEEDED", "output": '{"n": 1}', "nextState": "One"},
        ),
        (
            {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "One"}]},
            {"n": 2},
            {"status": "FAILED", "error": "States.NoChoiceMatched", "cause": "No choice rule matched and no Default"},
        ),
        ({"Type": "Wait", "Seconds": 0, "Next": "Then"}, {}, {"status": "SUCCEEDED", "output": "{}", "nextState": "Then"}),
        ({"Type": "Succeed"}, {"n": 1}, {"status": "SUCCEEDED", "output": '{"n": 1}'}),
        ({"Type": "Fail", "Error": "No", "Cause": "why"}, {}, {"status": "FAILED", "error": "No", "cause": "why"}),
    ],
)  # fmt: skip
def test_a_plain_state(aws: Aws, definition: dict[str, Any], given: Any, found: dict[str, Any]) -> None:
    assert tried(aws, definition, given) == found


def test_a_task_is_executed_and_its_stages_are_shown(aws: Aws) -> None:
    aws.client("s3").create_bucket(Bucket=f"b{uuid.uuid4().hex}")
    state = {
        **LIST,
        "Parameters": {},
        "ResultSelector": {"owner.$": "$.Owner.DisplayName"},
        "ResultPath": "$.x",
    }
    found = tried(aws, state, {"n": 1}, inspectionLevel="DEBUG")
    assert (found["status"], found["nextState"]) == ("SUCCEEDED", "Then")
    stages = {stage: json.loads(value) for stage, value in found["inspectionData"].items()}
    assert (stages["input"], stages["afterParameters"]) == ({"n": 1}, {})
    assert stages["result"]["Buckets"]
    assert (
        stages["afterResultPath"]
        == json.loads(found["output"])
        == {"n": 1, "x": stages["afterResultSelector"]}
    )


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, "FAILED"),
        ({"Retry": [{"ErrorEquals": ALL}]}, "RETRIABLE"),
        ({"Catch": [{"ErrorEquals": ALL, "Next": "Caught"}]}, "CAUGHT_ERROR"),
    ],
)
def test_a_failed_task_reports_the_consequence(aws: Aws, more: dict[str, Any], status: str) -> None:
    found = tried(aws, {**NO_BUCKET, **more})
    assert (found["status"], found["error"]) == (status, "S3.S3Exception")
    assert found.get("nextState") == ("Caught" if status == "CAUGHT_ERROR" else None)


def test_a_mock_answers_in_place_of_the_resource(aws: Aws) -> None:
    waiting = {**LIST, "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync"}
    assert json.loads(tried(aws, waiting, mock={"result": '{"n": 1}'})["output"]) == {"n": 1}
    failed = tried(aws, waiting, mock={"errorOutput": {"error": "Broken", "cause": "x"}})
    assert (failed["error"], failed["cause"]) == ("Broken", "x")


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ({"Type": "Map", "ItemProcessor": {}}, "Map is not supported"),
        ({**LIST, "Resource": "arn:aws:states:::aws-sdk:s3:makeCoffee"}, "not recognized"),
        (
            {**LIST, "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync"},
            "TestState does not wait",
        ),
    ],
)
def test_a_state_that_cannot_be_tested_is_refused(aws: Aws, definition: dict[str, Any], words: str) -> None:
    with pytest.raises(ClientError, match=words):
        tried(aws, definition)


def test_a_task_is_executed_with_the_named_role(aws: Aws) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = aws.client("iam").create_role(RoleName=f"r{uuid.uuid4().hex}", AssumeRolePolicyDocument=policy)
    found = tried(aws, {**LIST, "Parameters": {}}, roleArn=role["Role"]["Arn"])
    assert (found["status"], found["error"]) == ("FAILED", "S3.S3Exception")
