"""With KmsKeyArn everything is encrypted with the key, and only callers that the policies allow can access it."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cli.deploy import parameters
from tests.conftest import eventually
from tests.faults.pipeline import Pipeline
from tests.faults.run import Run
from tests.faults.tally import Ending
from tests.integration.iam.key import ON_CALL, documented_policy, make_key
from tests.integration.iam.live import Live
from tests.integration.iam.policies import Asked, Granted, parsed, sharing, statements, unseen

# The first test waits until the pipeline has done all that it can do.
pytestmark = pytest.mark.timeout(1200)

KEY_POLICY = documented_policy()


def key_of(used: Pipeline) -> str:
    return parameters(used.endpoint)["KmsKeyArn"]


def test_every_object_is_under_the_key(used: Pipeline) -> None:
    s3, bucket = used.client("s3"), used.stack["BucketName"]
    kinds = set()
    for key in used.objects(""):
        head = s3.head_object(Bucket=bucket, Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key_of(used)), key
        kinds.add(key.split("/")[2] if key.startswith("runs/") else key.split("/")[0])
    of_runs = {"input", "prepared", "tuning", "evaluation", "predictions", "report"}
    assert kinds == {"incoming", "code", "models", "captured", "monitoring"} | of_runs


def test_an_alarm_under_the_key_reaches_the_person_on_call(used: Pipeline) -> None:
    mails = used.client("sns").list_subscriptions_by_topic(TopicArn=used.stack["AlarmTopicArn"])
    assert [each["Endpoint"] for each in mails["Subscriptions"]] == [ON_CALL]
    assert any("sounded by the test" in mail.text for mail in used.mails())


@pytest.mark.parametrize("sid", [statement["Sid"] for statement in KEY_POLICY])
def test_without_a_statement_of_the_keys_policy_somebody_is_refused(
    sid: str, used: Pipeline, asked: list[Asked]
) -> None:
    questions = [question for question in asked if question.action.startswith("kms:")]
    assert {question.resource for question in questions} == {key_of(used)}
    assert all(question.is_let_in(KEY_POLICY) for question in questions)
    others = [statement for statement in KEY_POLICY if statement["Sid"] != sid]
    refused = {question.by for question in questions if not question.is_let_in(others)}
    assert refused == {"identity" if sid == "AccountByItsPolicies" else "resource"}


@pytest.mark.parametrize(
    "role",
    [
        role
        for role, sid in statements().values()
        if sid == "UseKey" and not any((line.role, line.statement) == (role, sid) for line in unseen())
    ],
)
def test_without_a_service_in_a_roles_statement_a_use_of_the_key_is_refused(
    role: str, used: Pipeline, asked: list[Asked], granted: Granted
) -> None:
    names = {used.stack[each] for each in sharing(role, "UseKey")}
    questions = [question for question in asked if question.role in names and question.by == "identity"]
    whole = granted(role)["UseKey"]
    via = whole["Condition"]["StringLike"]["kms:ViaService"]
    services = [via] if isinstance(via, str) else via
    policy = parsed([whole])
    uses = [question for question in questions if question.is_answered(policy)]
    for service in services:
        others = [other for other in services if other != service] or ["nothing"]
        less = parsed([{**whole, "Condition": {"StringLike": {"kms:ViaService": others}}}])
        assert not all(use.is_answered(less) for use in uses), service


# In the order in which a run needs them: the role, its statement, the run's error, and the action in its cause.
REFUSED = [
    ("StateMachineRole", "UseKey", "DynamoDB.", "kms:Decrypt"),
    ("CheckUploadRole", "UseKey", "AccessDenied", "kms:Decrypt"),
    ("PreprocessingRole", "EncryptVolumes", "SageMaker.AmazonSageMakerException", "kms:CreateGrant"),
    ("EvaluationRole", "UseKey", "States.TaskFailed", "kms:Decrypt"),
    ("RequestApprovalRole", "UseKey", "AccessDenied", "kms:Decrypt"),
]


@pytest.fixture(scope="module")
def endings(used: Pipeline, live: Live) -> list[Ending]:
    """How a run ended while the first role lacked its statement, then, redriven, the second one, and so on; and
    when none did."""
    found: list[Ending] = []
    # A job that need not run would not fail.
    run: Run | None = None
    for role, sid, _, _ in REFUSED:
        with live.without(used.stack[role], sid):
            if run is None:
                run = used.upload(reuse=False)
            else:
                run.resume()
            found.append(run.is_over())
    assert run is not None
    return [*found, run.redrive()]


@pytest.mark.parametrize("place", range(len(REFUSED)), ids=[role for role, *_ in REFUSED])
def test_a_role_that_may_not_use_the_key_fails_the_run_which_can_be_redriven(
    place: int, endings: list[Ending]
) -> None:
    _, _, error, action = REFUSED[place]
    ended, redriven = endings[place : place + 2]
    assert ended.error.startswith(error), ended
    assert action in ended.cause, ended
    # It comes as far as to the next of these, or to its end.
    assert (redriven.outcome, redriven.cause) != (ended.outcome, ended.cause)
    assert endings[-1].outcome == "pending"


def test_a_transform_job_needs_the_key_as_the_role_of_its_model(used: Pipeline, live: Live) -> None:
    sagemaker = used.client("sagemaker")
    job = sagemaker.list_transform_jobs(MaxResults=1)["TransformJobSummaries"][0]["TransformJobName"]
    found = sagemaker.describe_transform_job(TransformJobName=job)
    names = ("ModelName", "TransformInput", "TransformOutput", "TransformResources")
    request = {name: found[name] for name in names} | {"TransformJobName": "mpg-again"}
    with (
        live.without(used.stack["ModelRole"], "EncryptVolumes"),
        pytest.raises(
            ClientError, match=r"ModelRole.* not authorized to perform: kms:CreateGrant"
        ) as refused,
    ):
        sagemaker.create_transform_job(**request)
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_log_group_cannot_use_a_key_whose_policy_excludes_its_service(used: Pipeline) -> None:
    kms = used.client("kms")
    others = [statement for statement in KEY_POLICY if statement["Sid"] != "LogGroups"]
    assert "is not allowed to be used with Arn" in log_group_refused(used, make_key(kms, others), "refused")
    assert log_group_refused(used, make_key(kms), "taken") == ""


def log_group_refused(used: Pipeline, key: str, name: str) -> str:
    """Why a stack with one log group under the key failed; "" if it succeeded."""
    cloudformation: Any = used.client("cloudformation")
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name, "KmsKeyId": key}}
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"Group": group}}))

    def ended() -> bool:
        status = str(cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
        return not status.endswith("_IN_PROGRESS")

    eventually(ended)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    reasons = [each.get("ResourceStatusReason", "") for each in events if "FAILED" in each["ResourceStatus"]]
    return " ".join(reasons)
