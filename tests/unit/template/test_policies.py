"""Rules for every policy of the template, by the Service Authorization Reference (as cfn-lint ships it)."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import pytest

from tests.unit.template import iam
from tests.unit.template.stack import KEY, of_type, properties

# Actions that support a resource type but are granted on "*", and why.
UNLIMITED = {
    "cloudwatch:PutMetricData": "metrics are no resources; a condition limits the namespace",
    "cloudwatch:DescribeAlarms": "CloudWatch asks about all alarms, whatever names a request has",
}
READS_ONLY = {"cloudwatch:DescribeAlarms"}
# IAM's quotas, white space not counted: for all inline policies of a role, and for one managed policy.
INLINE_POLICY_CHARACTERS = 10_240
MANAGED_POLICY_CHARACTERS = 6_144


@cache
def reference() -> dict[str, Any]:
    """Service prefix -> its actions with the resource types they can be limited to."""
    text = (files("cfnlint") / "data" / "AdditionalSpecs" / "Policies.json").read_text(encoding="utf-8")
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def resource_types(action: str) -> list[str]:
    service, _, name = action.partition(":")
    found = reference()[service]["Actions"][name.lower()]
    return list(found["Resources"]) if found else []


@pytest.mark.parametrize("role", sorted(iam.roles()))
def test_star_is_the_resource_only_of_actions_that_support_no_other(role: str) -> None:
    for statement in iam.statements(role, KEY):
        if "*" in iam.as_list(statement["Resource"]):
            limitable = {action for action in iam.as_list(statement["Action"]) if resource_types(action)}
            assert limitable <= UNLIMITED.keys()
            assert limitable <= READS_ONLY or "Condition" in statement


@pytest.mark.parametrize("role", sorted(iam.roles()))
def test_no_policy_names_actions_by_wildcard(role: str) -> None:
    assert not {action for action in iam.actions(role, KEY) if "*" in action}


@pytest.mark.parametrize("role", sorted(iam.roles()))
def test_a_role_takes_no_managed_policy_but_this_stacks(role: str) -> None:
    # By default IAM attaches ten to a role.
    assert len(iam.managed_policies(role)) == len(properties(role).get("ManagedPolicyArns", [])) <= 10


@pytest.mark.parametrize("policy", sorted(iam.shared_policies()))
def test_a_managed_policy_is_shared_by_roles_of_one_service(policy: str) -> None:
    sharing = [role for role in iam.roles() if policy in iam.managed_policies(role)]
    assert len(sharing) > 1
    trusted = {
        properties(role)["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]
        for role in sharing
    }
    assert len(trusted) == 1
    assert not properties(policy).keys() & {"Roles", "Users", "Groups"}


@pytest.mark.parametrize("role", sorted(iam.roles()))
def test_a_roles_own_policies_fit_iams_quota(role: str) -> None:
    assert characters(*properties(role, KEY).get("Policies", [])) < INLINE_POLICY_CHARACTERS


@pytest.mark.parametrize("policy", sorted(iam.shared_policies()))
def test_a_managed_policy_fits_iams_quota(policy: str) -> None:
    assert characters(properties(policy, KEY)) < MANAGED_POLICY_CHARACTERS


def characters(*policies: dict[str, Any]) -> float:
    length = sum(len(json.dumps(policy["PolicyDocument"], separators=(",", ":"))) for policy in policies)
    # Names on AWS are longer than the test's.
    return length * 1.3


@pytest.mark.parametrize("role", ["StateMachineRole", "UploadRuleRole"])
def test_a_service_assumes_a_role_for_this_account_only(role: str) -> None:
    [trust] = properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}


BUCKETS = {"PipelineBucketPolicy": "pipelinebucket", "AccessLogsPolicy": "accesslogs"}


def test_every_bucket_has_a_policy() -> None:
    assert of_type("AWS::S3::BucketPolicy").keys() == BUCKETS.keys()
    assert len(of_type("AWS::S3::Bucket")) == len(BUCKETS)


@pytest.mark.parametrize("policy", BUCKETS)
def test_a_bucket_refuses_everyone_without_tls(policy: str) -> None:
    statements = properties(policy)["PolicyDocument"]["Statement"]
    bucket = f"arn:aws:s3:::mpg-test-{BUCKETS[policy]}-x1"
    for resource in (bucket, f"{bucket}/incoming/cars.csv"):
        assert iam.denies(statements, "s3:GetObject", resource, {"aws:SecureTransport": "false"})
        assert not iam.denies(statements, "s3:GetObject", resource, {"aws:SecureTransport": "true"})


@pytest.mark.parametrize("name", of_type("AWS::S3::Bucket"))
def test_nobody_can_make_a_bucket_public(name: str) -> None:
    bucket = properties(name)
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_only_s3_itself_delivers_access_logs_and_only_of_the_pipelines_bucket() -> None:
    statements = properties("AccessLogsPolicy")["PolicyDocument"]["Statement"]
    [delivery] = [statement for statement in statements if statement["Effect"] == "Allow"]
    assert delivery["Principal"] == {"Service": "logging.s3.amazonaws.com"}
    log = "arn:aws:s3:::mpg-test-accesslogs-x1/2026-11-20-18-15-00-0123456789ABCDEF"
    ours = {"aws:SourceArn": "arn:aws:s3:::mpg-test-pipelinebucket-x1", "aws:SourceAccount": "111122223333"}
    assert iam.allows([delivery], "s3:PutObject", log, ours)
    assert not iam.allows([delivery], "s3:PutObject", log, ours | {"aws:SourceArn": "arn:aws:s3:::other"})
    assert not iam.allows([delivery], "s3:PutObject", log, ours | {"aws:SourceAccount": "444455556666"})
