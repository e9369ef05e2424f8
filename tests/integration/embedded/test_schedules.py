"""EventBridge Scheduler calls a target as the role of the schedule, and refuses what the service refuses."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Aws, eventually
from tests.integration.embedded.test_step_functions import ROLE

ACCOUNT = "000000000000"
PASS = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
PAST = "at(2026-01-01T00:00:00)"


@pytest.fixture(scope="module")
def machine(aws: Aws) -> str:
    made = aws.client("stepfunctions").create_state_machine(
        name=f"m{uuid.uuid4().hex}", definition=json.dumps(PASS), roleArn=ROLE
    )
    return str(made["stateMachineArn"])


@pytest.fixture
def letters(aws: Aws) -> tuple[str, str]:
    """The URL and the ARN of a queue."""
    name = f"letters-{uuid.uuid4().hex}"
    url = aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"


@pytest.fixture
def schedules(aws: Aws) -> Iterator[Any]:
    made: list[str] = []
    client = aws.client("scheduler")

    def create(**changes: Any) -> None:
        request = {
            "Name": f"s{uuid.uuid4().hex}",
            "ScheduleExpression": PAST,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            **changes,
        }
        client.create_schedule(**request)
        made.append(request["Name"])

    yield create
    for name in made:
        client.delete_schedule(Name=name)


def make_role(aws: Aws, service: str, *allowed: tuple[str, str]) -> str:
    name, iam = f"r{uuid.uuid4().hex}", aws.client("iam")
    trust = [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]
    iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust})
    )
    granted = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in allowed]
    if granted:
        policy = json.dumps({"Version": "2012-10-17", "Statement": granted})
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy)
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def test_a_schedule_starts_its_target_as_its_role_with_its_input(
    aws: Aws, machine: str, schedules: Any
) -> None:
    role = make_role(aws, "scheduler.amazonaws.com", ("states:StartExecution", machine))
    given = {"reason": "schedule", "at": "<aws.scheduler.attempt-number>", "id": str(uuid.uuid4())}
    schedules(Target={"Arn": machine, "RoleArn": role, "Input": json.dumps(given)})
    states = aws.client("stepfunctions")

    def inputs() -> list[Any]:
        listed = states.list_executions(stateMachineArn=machine)["executions"]
        found = [
            json.loads(states.describe_execution(executionArn=e["executionArn"])["input"]) for e in listed
        ]
        return [each for each in found if each.get("id") == given["id"]]

    assert eventually(inputs) == [{**given, "at": "1"}]


def test_what_its_role_may_not_call_is_kept_if_the_role_may_write_to_the_queue(
    aws: Aws, machine: str, schedules: Any, letters: tuple[str, str]
) -> None:
    url, arn = letters
    may_keep = make_role(aws, "scheduler.amazonaws.com", ("sqs:SendMessage", arn))
    may_nothing = make_role(aws, "scheduler.amazonaws.com")
    for role, said in ((may_nothing, "lost"), (may_keep, "kept")):
        dead = {"DeadLetterConfig": {"Arn": arn}}
        schedules(Target={"Arn": machine, "RoleArn": role, "Input": json.dumps({"is": said}), **dead})
    sqs = aws.client("sqs")

    def received() -> list[Any]:
        found = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10)
        return list(found.get("Messages", []))

    [letter] = eventually(received)
    assert json.loads(letter["Body"]) == {"is": "kept"}
    assert letter["MessageAttributes"]["TARGET_ARN"]["StringValue"] == machine


@pytest.mark.parametrize(
    ("changes", "target", "words"),
    [
        ({}, {"role": "lambda.amazonaws.com"}, "must allow AWS EventBridge Scheduler to assume the role"),
        ({"ScheduleExpression": "rate(0 days)"}, {}, "Invalid Schedule Expression"),
        ({"ScheduleExpression": "every day"}, {}, "Invalid Schedule Expression"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, {}, "MaximumWindowInMinutes"),
        ({}, {"Input": "reason: schedule"}, "well-formed JSON"),
        ({}, {"DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:000000000000:q.fifo"}}, "standard queue"),
        ({}, {"DeadLetterConfig": {"Arn": "arn:aws:sns:us-east-1:000000000000:topic"}}, "standard queue"),
    ],
)
def test_what_the_service_refuses_is_refused(
    aws: Aws, machine: str, schedules: Any, changes: Any, target: dict[str, Any], words: str
) -> None:
    role = make_role(aws, target.pop("role", "scheduler.amazonaws.com"))
    with pytest.raises(ClientError, match=words) as refused:
        schedules(Target={"Arn": machine, "RoleArn": role, **target}, **changes)
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_a_stack_with_a_schedule_that_is_refused_fails(aws: Aws, machine: str) -> None:
    role = make_role(aws, "lambda.amazonaws.com")
    properties = {
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": machine, "RoleArn": role},
    }
    template = {"Resources": {"Schedule": {"Type": "AWS::Scheduler::Schedule", "Properties": properties}}}
    name, stacks = f"s{uuid.uuid4().hex}", aws.client("cloudformation")
    stacks.create_stack(StackName=name, TemplateBody=json.dumps(template))

    def reasons() -> list[str]:
        events = stacks.describe_stack_events(StackName=name)["StackEvents"]
        return [
            event.get("ResourceStatusReason", "") for event in events if "FAILED" in event["ResourceStatus"]
        ]

    assert any("assume the role" in reason for reason in eventually(reasons))
    stacks.delete_stack(StackName=name)
