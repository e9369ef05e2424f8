"""Resource policies: whom else they allow or deny; tested by removing them and with other callers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ministack.core import iam_evaluator

from tests.conftest import eventually
from tests.faults.pipeline import Pipeline
from tests.integration.iam.live import Live
from tests.unit.template import stack

# The first test waits until the pipeline has done all that it can do.
pytestmark = pytest.mark.timeout(1200)

ROLES = {
    name: properties["AssumeRolePolicyDocument"]
    for name, properties in stack.of_type("AWS::IAM::Role").items()
}
OURS, SOMEBODY_ELSES = "111122223333", "999988887777"


def decision(
    policy: Any, action: str, resource: str, principal: str = "*", tls: bool = True, **keys: str
) -> str:
    """The emulator's decision on a resource's policy: `Allow`, `Deny` or `ImplicitDeny`.

    `principal` is a service such as events.amazonaws.com, an ARN, or anybody. `keys` are condition keys, `_` for `:`.
    """
    is_service = principal.endswith(".amazonaws.com")
    context = iam_evaluator.EvalContext(
        principal_arn="*" if is_service else principal,
        principal_type="Service" if is_service else "Account",
        principal_account=OURS if principal.startswith("arn:") else "",
        action=action,
        resource_arn=resource,
        region="us-east-1",
        secure_transport=tls,
        service_context={name.replace("_", ":"): value for name, value in keys.items()},
    )
    service = principal if is_service else None
    return str(iam_evaluator.evaluate_resource_policy(policy, context, service).decision)


# Roles: who may assume them


@pytest.mark.parametrize("role", ROLES)
def test_a_role_trusts_one_service_only(role: str) -> None:
    services = ["events", "lambda", "sagemaker", "scheduler", "states", "ec2"]
    trusting = [
        service
        for service in services
        if decision(ROLES[role], "sts:AssumeRole", "*", f"{service}.amazonaws.com", aws_sourceaccount=OURS)
        == "Allow"
    ]
    assert len(trusting) == 1
    for statement in ROLES[role]["Statement"]:
        rest = {**ROLES[role], "Statement": [each for each in ROLES[role]["Statement"] if each != statement]}
        service = f"{trusting[0]}.amazonaws.com"
        assert decision(rest, "sts:AssumeRole", "*", service, aws_sourceaccount=OURS) != "Allow"


@pytest.mark.parametrize(("role", "service"), [("StateMachineRole", "states"), ("UploadRuleRole", "events")])
def test_a_service_that_acts_for_another_account_is_not_trusted(role: str, service: str) -> None:
    principal = f"{service}.amazonaws.com"
    assert (
        decision(ROLES[role], "sts:AssumeRole", "*", principal, aws_sourceaccount=SOMEBODY_ELSES) != "Allow"
    )
    assert decision(ROLES[role], "sts:AssumeRole", "*", principal) != "Allow"


@pytest.mark.parametrize("role", ROLES)
def test_not_even_the_account_itself_may_be_a_role(role: str) -> None:
    assert decision(ROLES[role], "sts:AssumeRole", "*", f"arn:aws:iam::{OURS}:root") == "ImplicitDeny"


# The bucket


@pytest.mark.parametrize(
    ("action", "key"),
    [("s3:GetObject", "/incoming/a.csv"), ("s3:PutObject", "/incoming/a.csv"), ("s3:ListBucket", "")],
)
def test_the_bucket_refuses_requests_without_tls(used: Pipeline, action: str, key: str) -> None:
    bucket = used.stack["BucketName"]
    policy = json.loads(used.client("s3").get_bucket_policy(Bucket=bucket)["Policy"])
    resource = f"arn:aws:s3:::{bucket}{key}"
    assert decision(policy, action, resource, tls=False) == "Deny"
    assert decision(policy, action, resource) == "ImplicitDeny"
    rest = {**policy, "Statement": [each for each in policy["Statement"] if each["Sid"] != "TlsOnly"]}
    assert decision(rest, action, resource, tls=False) == "ImplicitDeny"


# Dead-letter queues


def test_an_upload_that_may_not_start_the_pipeline_is_kept_and_runs_when_uploaded_again(
    used: Pipeline, live: Live
) -> None:
    with live.without(used.stack["UploadRuleRole"], "StartPipeline"):
        lost = used.upload()
        letter = dead_letter(used, "UploadDeadLetters", lost.version_id)
    assert json.loads(letter["Body"])["detail"]["object"]["key"] == lost.key
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"
    assert used.executions_of(lost) == []
    assert used.upload(key=lost.key).ends().outcome == "pending"


@pytest.mark.parametrize("queue", ["UploadDeadLetters", "EventDeadLetters"])
def test_a_queue_accepts_dead_letters_only_from_this_stacks_rules(used: Pipeline, queue: str) -> None:
    attributes = used.client("sqs").get_queue_attributes(QueueUrl=used.stack[queue], AttributeNames=["All"])
    policy = json.loads(attributes["Attributes"]["Policy"])
    (allowed,) = policy["Statement"]
    rules = allowed["Condition"]["ArnEquals"]["aws:SourceArn"]
    rules = [rules] if isinstance(rules, str) else rules

    def lets_in(rule: str, service: str = "events") -> bool:
        arn = attributes["Attributes"]["QueueArn"]
        return (
            decision(policy, "sqs:SendMessage", arn, f"{service}.amazonaws.com", aws_sourcearn=rule)
            == "Allow"
        )

    assert all(lets_in(rule) for rule in rules)
    assert not lets_in("arn:aws:events:us-east-1:000000000000:rule/of-somebody-else")
    assert not lets_in(rules[0], "sns")


def test_without_its_policy_a_queue_accepts_no_dead_letter(used: Pipeline, live: Live) -> None:
    before = refusals(used, "UploadDeadLetters")
    with live.without(used.stack["UploadRuleRole"], "StartPipeline"), no_policy(used, "UploadDeadLetters"):
        lost = used.upload()
        eventually(lambda: refusals(used, "UploadDeadLetters") > before)
    assert not any(lost.version_id in body for body in used.messages("UploadDeadLetters"))
    assert used.executions_of(lost) == []


# Functions


@pytest.mark.parametrize(
    ("function", "permission"),
    [
        ("NotifyFunction", "NotifyFunctionRunEndedPermission"),
        ("StopJobsFunction", "StopJobsFunctionRunEndedBadlyPermission"),
    ],
)
def test_an_end_that_eventbridge_may_not_deliver_is_kept_and_reported_by_the_sweep(
    used: Pipeline, function: str, permission: str
) -> None:
    with no_permission(used, function, permission):
        run = used.upload(content=b"a,b")
        assert run.is_over().error == "UploadRefused"
        letter = dead_letter(used, "EventDeadLetters", run.arn)
    assert json.loads(letter["Body"])["detail"]["executionArn"] == run.arn
    assert letter["MessageAttributes"]["TARGET_ARN"]["StringValue"].endswith(used.stack[function])
    used.sweep()
    assert len(run.endings()) == 1


@pytest.mark.parametrize("function", ["ReviewFunction", "CatalogueFunction"])
def test_anybody_may_call_a_public_page_through_its_url_and_nobody_in_another_way(
    used: Pipeline, function: str
) -> None:
    name = used.stack[function]
    policy = json.loads(used.client("lambda").get_policy(FunctionName=name)["Policy"])
    arn, url, invoke = policy["Statement"][0]["Resource"], "lambda:InvokeFunctionUrl", "lambda:InvokeFunction"
    assert decision(policy, url, arn, lambda_functionurlauthtype="NONE") == "Allow"
    assert decision(policy, invoke, arn, lambda_invokedviafunctionurl="true") == "Allow"
    assert decision(policy, url, arn, lambda_functionurlauthtype="AWS_IAM") == "ImplicitDeny"
    assert decision(policy, invoke, arn) == "ImplicitDeny"
    for statement in policy["Statement"]:
        rest = {**policy, "Statement": [each for each in policy["Statement"] if each != statement]}
        keys: dict[str, Any] = {"lambda_functionurlauthtype": "NONE", "lambda_invokedviafunctionurl": "true"}
        assert decision(rest, statement["Action"], arn, **keys) == "ImplicitDeny"


@pytest.mark.parametrize(
    "function", ["ListModelsFunction", "DownloadModelFunction", "IssueCatalogueLinkFunction"]
)
def test_nobody_is_let_in_by_a_function_for_callers_with_iam(used: Pipeline, function: str) -> None:
    # AWS answers that there is no policy.
    found = used.client("lambda").get_policy(FunctionName=used.stack[function])
    assert json.loads(found["Policy"])["Statement"] == []


def dead_letter(pipeline: Pipeline, queue: str, about: str) -> dict[str, Any]:
    """Wait for a message with these words in a queue, by its logical id."""
    sqs, url = pipeline.client("sqs"), pipeline.stack[queue]

    def receive() -> list[dict[str, Any]]:
        found = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10)
        return [message for message in found.get("Messages", []) if about in message["Body"]]

    (message,) = eventually(receive)
    return dict(message)


def refusals(pipeline: Pipeline, queue: str) -> int:
    """How often EventBridge was denied access to a queue."""
    name = pipeline.stack[queue].rpartition("/")[2]
    asked = pipeline.permissions()
    return sum(
        each["times"] for each in asked if each["resource"].endswith(f":{name}") and not each["allowed"]
    )


@contextmanager
def no_policy(pipeline: Pipeline, queue: str) -> Iterator[None]:
    """While entered, a queue, by its logical id, has no policy."""
    sqs, url = pipeline.client("sqs"), pipeline.stack[queue]
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    try:
        yield
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


@contextmanager
def no_permission(pipeline: Pipeline, function: str, permission: str) -> Iterator[None]:
    """While entered, EventBridge may not call a function; both by their logical ids."""
    client, name = pipeline.client("lambda"), pipeline.stack[function]
    policy = json.loads(client.get_policy(FunctionName=name)["Policy"])
    (statement,) = [each for each in policy["Statement"] if f"-{permission}-" in each["Sid"]]
    client.remove_permission(FunctionName=name, StatementId=statement["Sid"])
    try:
        yield
    finally:
        client.add_permission(
            FunctionName=name,
            StatementId=statement["Sid"],
            Action=statement["Action"],
            Principal=statement["Principal"]["Service"],
            SourceArn=statement["Condition"]["ArnLike"]["AWS:SourceArn"],
        )
