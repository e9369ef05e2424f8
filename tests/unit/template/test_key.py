"""What is encrypted with which key, with and without KmsKeyArn, and that every role may use the key it needs."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.template import iam
from tests.unit.template.stack import KEY, of_type, properties, stack

AES256 = [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
# Resource type -> the properties of its encryption, with and without a key.
UNDER_KEY: Mapping[str, Mapping[str, Any]] = {
    "AWS::DynamoDB::Table": {
        "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY},
    },
    "AWS::SNS::Topic": {"KmsMasterKeyId": KEY},
    "AWS::SQS::Queue": {"KmsMasterKeyId": KEY, "SqsManagedSseEnabled": None},
    "AWS::Logs::LogGroup": {"KmsKeyId": KEY},
}
WITHOUT_KEY: Mapping[str, Mapping[str, Any]] = {
    "AWS::DynamoDB::Table": {"SSESpecification": {"SSEEnabled": True}},
    "AWS::SNS::Topic": {"KmsMasterKeyId": "alias/aws/sns"},
    "AWS::SQS::Queue": {"KmsMasterKeyId": None, "SqsManagedSseEnabled": True},
    "AWS::Logs::LogGroup": {"KmsKeyId": None},
}
RESOURCES = [(kind, name) for kind in UNDER_KEY for name in of_type(kind)]

# The KMS actions that a service requests on behalf of this action's caller.
ASKED_OF_KMS = {
    "s3:GetObject": {"kms:Decrypt"},
    "s3:GetObjectVersion": {"kms:Decrypt"},
    "s3:PutObject": {"kms:GenerateDataKey"},
    "sns:Publish": {"kms:GenerateDataKey", "kms:Decrypt"},
    "sqs:SendMessage": {"kms:GenerateDataKey", "kms:Decrypt"},
    **{
        f"dynamodb:{name}": {"kms:Decrypt"}
        for name in ("BatchGetItem", "GetItem", "PutItem", "UpdateItem", "DeleteItem", "Scan", "Query")
    },
}
# Neither reads nor writes encrypted data.
WITHOUT_CONTENT = {
    "s3:AbortMultipartUpload",
    "s3:ListBucket",
    "s3:ListBucketVersions",
    "sns:ListSubscriptionsByTopic",
}
OF_JOBS = {"kms:CreateGrant", "kms:Encrypt"}
FUNCTIONS = {role for role in iam.roles() if "FunctionPolicy" in iam.managed_policies(role)}


def shown(resource: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    return {name: resource.get(name) for name in names}


def needed(role: str) -> set[tuple[str, str]]:
    """(service, action on the key) for everything that a role does with encrypted data."""
    found = set()
    for action in iam.actions(role, KEY) - WITHOUT_CONTENT:
        service = action.partition(":")[0]
        if service in ("s3", "sns", "sqs", "dynamodb"):
            found |= {(service, asked) for asked in ASKED_OF_KMS[action]}
    return found


def kms_statements(role: str) -> list[dict[str, Any]]:
    return [s for s in iam.statements(role, KEY) if iam.as_list(s["Action"])[0].startswith("kms:")]


@pytest.mark.parametrize(("kind", "name"), RESOURCES)
def test_with_a_key_a_resource_is_under_it(kind: str, name: str) -> None:
    assert shown(properties(name, KEY), UNDER_KEY[kind]) == UNDER_KEY[kind]


@pytest.mark.parametrize(("kind", "name"), RESOURCES)
def test_without_a_key_a_resource_is_under_one_that_aws_manages(kind: str, name: str) -> None:
    # CloudWatch cannot publish under the AWS-managed key.
    expected = {"KmsMasterKeyId": None} if name == "AlarmTopic" else WITHOUT_KEY[kind]
    assert shown(properties(name), WITHOUT_KEY[kind]) == expected


def test_the_bucket_is_under_the_key_by_a_bucket_key_that_keeps_requests_few() -> None:
    encryption = properties("PipelineBucket", KEY)["BucketEncryption"]
    assert encryption["ServerSideEncryptionConfiguration"] == [
        {
            "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
            "BucketKeyEnabled": True,
        }
    ]
    without = properties("PipelineBucket")["BucketEncryption"]
    assert without["ServerSideEncryptionConfiguration"] == AES256


@pytest.mark.parametrize("key", ["", KEY])
def test_access_logs_are_never_under_the_key_because_s3_would_not_deliver_them(key: str) -> None:
    encryption = properties("AccessLogs", key)["BucketEncryption"]
    assert encryption["ServerSideEncryptionConfiguration"] == AES256


def test_every_kind_of_resource_that_keeps_data_is_checked_here() -> None:
    kinds = {resource["Type"] for resource in stack().values()}
    keep_data = {kind for kind in kinds if kind.split("::")[1] in ("S3", "DynamoDB", "SNS", "SQS", "Logs")}
    assert keep_data - UNDER_KEY.keys() == {
        "AWS::S3::Bucket",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Subscription",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
    }


@pytest.mark.parametrize("role", sorted(iam.roles()))
def test_without_a_key_no_role_has_a_permission_on_keys(role: str) -> None:
    assert not [action for action in iam.actions(role) if action.startswith("kms:")]


@pytest.mark.parametrize("role", sorted(iam.roles()))
def test_a_role_may_use_the_key_for_everything_that_it_accesses(role: str) -> None:
    for service, action in needed(role):
        via = {"kms:ViaService": f"{service}.us-east-1.amazonaws.com"}
        assert iam.allows(iam.statements(role, KEY), action, KEY, via), f"{action} by {service}"


@pytest.mark.parametrize("role", sorted(iam.roles() - FUNCTIONS))
def test_a_role_may_use_the_key_for_nothing_else(role: str) -> None:
    own = {action for action in iam.actions(role, KEY) if action.startswith("kms:")}
    assert own - grants(role) == {action for _, action in needed(role)}
    assert services(role) == {service for service, _ in needed(role)}


def grants(role: str) -> set[str]:
    """What SageMaker does with the key in the role's name, for the volumes of jobs and endpoints."""
    return (
        {"kms:CreateGrant"}
        if role == "ReleaseStateMachineRole"
        else OF_JOBS
        if role in iam.ROLES_OF_SAGEMAKER
        else set()
    )


@pytest.mark.parametrize("role", sorted(FUNCTIONS))
def test_functions_may_use_the_key_for_what_one_of_them_needs_and_nothing_else(role: str) -> None:
    # They share the statement: a service uses the key for them only where another statement lets them use the service.
    all_needed = set().union(*map(needed, FUNCTIONS))
    own = {action for action in iam.actions(role, KEY) if action.startswith("kms:")}
    assert own == {action for _, action in all_needed}
    assert services(role) == {service for service, _ in all_needed}
    assert needed(role)


def services(role: str) -> set[str]:
    """Through which services a role may use the key."""
    return {
        pattern.partition(".")[0]
        for statement in kms_statements(role)
        for pattern in iam.as_list(
            statement.get("Condition", {}).get("StringLike", {}).get("kms:ViaService", [])
        )
    }


@pytest.mark.parametrize("role", sorted(iam.roles()))
def test_a_role_may_use_no_other_key_and_none_by_itself(role: str) -> None:
    for statement in kms_statements(role):
        assert statement["Resource"] == KEY
        assert "Condition" in statement or statement["Action"] == "kms:Encrypt"
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        assert not iam.allows(iam.statements(role, KEY), action, KEY)


@pytest.mark.parametrize("role", iam.ROLES_OF_SAGEMAKER)
def test_jobs_get_grants_for_their_volumes_and_their_code_can_create_none(role: str) -> None:
    policy = iam.statements(role, KEY)
    assert iam.allows(policy, "kms:CreateGrant", KEY, {"kms:GrantIsForAWSResource": "true"})
    assert not iam.allows(policy, "kms:CreateGrant", KEY, {"kms:GrantIsForAWSResource": "false"})


def test_the_definition_and_the_scripts_know_the_key() -> None:
    assert properties("PipelineStateMachine", KEY)["DefinitionSubstitutions"]["KmsKeyArn"] == KEY
    # Another key publishes the scripts again.
    assert properties("PublishedCode", KEY)["KmsKeyArn"] == KEY
