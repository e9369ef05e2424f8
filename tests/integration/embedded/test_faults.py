"""The harness itself: to a client, a fault looks like the real thing, and it applies exactly as often as it says."""

import contextlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from local.embedded.access import ROOT_ACCESS_KEY
from tests.conftest import Aws


def _invoke(runtime: Any) -> None:
    # There is no endpoint: without a fault, that is the answer.
    with contextlib.suppress(runtime.exceptions.ValidationError):
        runtime.invoke_endpoint(EndpointName="none", Body=b"1")


CALLS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "s3:PutObject": ("s3", lambda s3: s3.put_object(Bucket="harness", Key="a b+c%é", Body=b"x")),
    "s3:CopyObject": (
        "s3",
        lambda s3: s3.copy_object(Bucket="harness", Key="b", CopySource={"Bucket": "harness", "Key": "a"}),
    ),
    "s3:ListObjectsV2": ("s3", lambda s3: s3.list_objects_v2(Bucket="harness")),
    "lambda:ListFunctions": ("lambda", lambda functions: functions.list_functions()),
    "sns:ListTopics": ("sns", lambda sns: sns.list_topics()),
    "sqs:ListQueues": ("sqs", lambda sqs: sqs.list_queues()),
    "sts:GetCallerIdentity": ("sts", lambda sts: sts.get_caller_identity()),
    "dynamodb:ListTables": ("dynamodb", lambda dynamodb: dynamodb.list_tables()),
    "sagemaker:ListModels": ("sagemaker", lambda sagemaker: sagemaker.list_models()),
    "sagemaker:InvokeEndpoint": ("sagemaker-runtime", _invoke),
    "states:ListStateMachines": ("stepfunctions", lambda states: states.list_state_machines()),
    "logs:DescribeLogGroups": ("logs", lambda logs: logs.describe_log_groups()),
    "events:ListRules": ("events", lambda events: events.list_rules()),
}


@pytest.fixture(autouse=True)
def no_rules_afterwards(aws: Aws) -> Any:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="harness")
    s3.put_object(Bucket="harness", Key="a", Body=b"x")
    yield
    aws.inject([])


@pytest.mark.parametrize("operation", CALLS)
def test_an_error_comes_in_the_protocol_of_its_service(aws: Aws, operation: str) -> None:
    service, call = CALLS[operation]
    aws.inject([{"operation": operation, "error": "SomethingWrong", "status": 418, "message": "as asked"}])
    with pytest.raises(ClientError) as raised:
        call(aws.client(service))
    assert raised.value.response["Error"]["Code"] == "SomethingWrong"
    assert raised.value.response["Error"]["Message"] == "as asked"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 418
    call(aws.client(service))
    (rule,) = aws.inject([])
    assert (rule["seen"], rule["applied"]) == (2, 1)


@pytest.mark.parametrize("operation", CALLS)
def test_a_connection_breaks_without_an_answer_and_the_client_retries(aws: Aws, operation: str) -> None:
    service, call = CALLS[operation]
    aws.inject([{"operation": operation, "drop": "before"}])
    with pytest.raises(ConnectionClosedError):
        call(aws.client(service))
    call(aws.client(service))


def test_a_connection_that_breaks_before_a_call_prevents_it_and_one_after_does_not(aws: Aws) -> None:
    s3 = aws.client("s3")
    for drop, there in (("before", False), ("after", True)):
        aws.inject([{"operation": "s3:PutObject", "drop": drop}])
        with pytest.raises(ConnectionClosedError):
            s3.put_object(Bucket="harness", Key=f"dropped-{drop}", Body=b"x")
        found = s3.list_objects_v2(Bucket="harness", Prefix=f"dropped-{drop}")
        assert ("Contents" in found) is there


def test_the_nth_call_that_contains_some_words_is_matched(aws: Aws) -> None:
    s3 = aws.client("s3")
    aws.inject([{"operation": "s3:Get*", "containing": "/a", "from": 2, "times": 2, "error": "SlowDown"}])
    s3.put_object(Bucket="harness", Key="b", Body=b"x")
    outcomes = []
    for key in ("a", "b", "a", "a", "a"):
        try:
            s3.get_object(Bucket="harness", Key=key)
            outcomes.append("fine")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
    assert outcomes == ["fine", "fine", "SlowDown", "SlowDown", "fine"]


def test_the_first_matching_rule_decides(aws: Aws) -> None:
    aws.inject(
        [{"operation": "sns:List*", "error": "First"}, {"operation": "sns:ListTopics", "error": "Second"}]
    )
    codes = []
    for _ in range(2):
        with pytest.raises(ClientError) as raised:
            aws.client("sns").list_topics()
        codes.append(raised.value.response["Error"]["Code"])
    assert codes == ["First", "Second"]


def test_an_observer_gets_no_fault_and_is_not_counted(aws: Aws) -> None:
    # Not every operation: what other tests started on this server may still be at work.
    aws.inject([{"operation": "sns:ListTopics", "times": None, "error": "Always"}])
    onlooker: Any = boto3.client(
        "sns",
        endpoint_url=aws.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=ROOT_ACCESS_KEY,
        aws_secret_access_key=aws.secret,
        config=Config(user_agent_extra="mpg-onlooker"),
    )
    onlooker.list_topics()
    (rule,) = aws.inject([])
    assert rule["seen"] == 0


@pytest.mark.parametrize(
    "given",
    [[{"operation": "*", "eror": "typo"}], [{"operation": "*", "drop": "never"}], [{}], {"a": "b"}, "x"],
)
def test_an_invalid_rule_is_refused(aws: Aws, given: Any) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        aws.inject(given)
    assert raised.value.code == 400


def test_a_web_page_cannot_set_rules(aws: Aws) -> None:
    with pytest.raises(urllib.error.HTTPError) as raised:
        aws.inject([], content_type="text/plain")
    assert raised.value.code == 400


def test_a_look_at_the_rules_may_wait_until_one_has_applied_so_often(aws: Aws) -> None:
    def applied(times: int, seconds: int) -> tuple[int, float]:
        begin = time.monotonic()
        with urllib.request.urlopen(f"{aws.pages}faults?rule=1&applied={times}&wait={seconds}") as answer:
            rule = json.load(answer)[1]
        return rule["applied"], time.monotonic() - begin

    sts = aws.client("sts")
    aws.inject([{"operation": "s3:*"}, {"operation": "sts:GetCallerIdentity", "times": None}])
    sts.get_caller_identity()
    assert applied(1, 9)[0] == 1
    found, seconds = applied(2, 1)
    assert found == 1
    assert seconds >= 1
    with ThreadPoolExecutor(1) as waiting:
        answer = waiting.submit(applied, 2, 9)
        sts.get_caller_identity()
        assert answer.result()[0] == 2
