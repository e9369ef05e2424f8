"""What holds for every policy of the template, by the Service Authorization Reference (as cfn-lint ships it)."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import pytest

from tests.unit.template import iam
from tests.unit.template.stack import of_type, properties

# An action with a resource type that is given no resource nevertheless, and why.
UNLIMITED = {
    "cloudwatch:PutMetricData": "metrics are no resources; a condition limits the namespace",
}
# IAM's quota for all inline policies of a role, white space not counted.
INLINE_POLICY_CHARACTERS = 10_240


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
def test_star_is_the_resource_only_of_actions_that_know_no_other(role: str) -> None:
    for statement in iam.statements(role):
        if "*" in iam.as_list(statement["Resource"]):
            limitable = {action for action in iam.as_list(statement["Action"]) if resource_types(action)}
            assert limitable <= UNLIMITED.keys()
            assert not limitable or "Condition" in statement


@pytest.mark.parametrize("role", sorted(iam.roles()))
def test_no_policy_names_actions_by_wildcard(role: str) -> None:
    assert not {action for action in iam.actions(role) if "*" in action}


@pytest.mark.parametrize("role", sorted(iam.roles()))
def test_no_role_takes_a_managed_policy(role: str) -> None:
    assert not properties(role).get("ManagedPolicyArns")


@pytest.mark.parametrize("role", sorted(iam.roles()))
def test_a_roles_policies_fit_iams_quota(role: str) -> None:
    policies = [policy["PolicyDocument"] for policy in properties(role)["Policies"]]
    length = sum(len(json.dumps(policy, separators=(",", ":"))) for policy in policies)
    # Names on AWS are longer than the test's.
    assert length * 1.3 < INLINE_POLICY_CHARACTERS


@pytest.mark.parametrize("role", ["StateMachineRole", "UploadRuleRole"])
def test_a_service_assumes_a_role_for_this_account_only(role: str) -> None:
    [trust] = properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "111122223333"}}


def test_the_bucket_refuses_everyone_without_tls() -> None:
    [policy] = of_type("AWS::S3::BucketPolicy").values()
    statements = policy["PolicyDocument"]["Statement"]
    bucket = "arn:aws:s3:::mpg-test-pipelinebucket-x1"
    for resource in (bucket, f"{bucket}/incoming/cars.csv"):
        assert iam.denies(statements, "s3:GetObject", resource, {"aws:SecureTransport": "false"})
        assert not iam.denies(statements, "s3:GetObject", resource, {"aws:SecureTransport": "true"})


def test_nobody_can_make_the_bucket_public() -> None:
    [bucket] = of_type("AWS::S3::Bucket").values()
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
