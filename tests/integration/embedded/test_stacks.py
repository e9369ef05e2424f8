"""Support for `sam sync` and `sam delete`, and CloudFormation's refusal to delete non-empty buckets."""

import io
import json
import uuid
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Aws, eventually

Json = dict[str, Any]


@pytest.fixture
def bucket(aws: Aws) -> str:
    """A bucket with the code of a layer in it."""
    name = f"artifacts-{uuid.uuid4().hex[:8]}"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("python/shade.py", "")
    aws.client("s3").create_bucket(Bucket=name)
    aws.client("s3").put_object(Bucket=name, Key="layer.zip", Body=archive.getvalue())
    return name


@pytest.fixture
def stack(aws: Aws) -> Iterator[str]:
    """The name of a stack, which is gone after the test."""
    name = f"stack-{uuid.uuid4().hex[:8]}"
    yield name
    aws.client("cloudformation").delete_stack(StackName=name)


def ended(aws: Aws, stack: str) -> str:
    """The stack's status once no operation is in progress."""
    describe = aws.client("cloudformation").describe_stacks
    status: str = eventually(
        lambda: (
            not (found := describe(StackName=stack)["Stacks"][0]["StackStatus"]).endswith("IN_PROGRESS")
            and found
        )
    )
    return status


def create(aws: Aws, stack: str, resources: Json) -> str:
    template = json.dumps({"Resources": resources})
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    created = aws.client("cloudformation").create_stack(
        StackName=stack, TemplateBody=template, Capabilities=capabilities
    )
    assert ended(aws, stack) == "CREATE_COMPLETE"
    return str(created["StackId"])


def test_a_non_empty_bucket_stays_and_its_stack_ends_as_delete_failed(aws: Aws, stack: str) -> None:
    name = f"full-{uuid.uuid4().hex[:8]}"
    create(aws, stack, {"Full": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}})
    s3, cloudformation = aws.client("s3"), aws.client("cloudformation")
    s3.put_object(Bucket=name, Key="kept", Body=b"x")
    cloudformation.delete_stack(StackName=stack)

    assert ended(aws, stack) == "DELETE_FAILED"
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    reasons = [event["ResourceStatusReason"] for event in events if event["LogicalResourceId"] == "Full"]
    assert "The bucket you tried to delete is not empty" in str(reasons)
    assert s3.get_object(Bucket=name, Key="kept")["Body"].read() == b"x"

    s3.delete_object(Bucket=name, Key="kept")
    cloudformation.delete_stack(StackName=stack)
    eventually(lambda: name not in [each["Name"] for each in s3.list_buckets()["Buckets"]])


def test_a_nested_stack_may_be_a_serverless_template(aws: Aws, stack: str, bucket: str) -> None:
    layer = {"LayerName": stack, "ContentUri": f"s3://{bucket}/layer.zip", "RetentionPolicy": "Delete"}
    child = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {"Shade": {"Type": "AWS::Serverless::LayerVersion", "Properties": layer}},
    }
    aws.client("s3").put_object(Bucket=bucket, Key="child.json", Body=json.dumps(child).encode())
    url = f"{aws.endpoint_url}/{bucket}/child.json"
    create(aws, stack, {"Child": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}})

    arn = f"arn:aws:lambda:us-east-1:000000000000:layer:{stack}"
    by_arn = aws.client("lambda").list_layer_versions(LayerName=arn)["LayerVersions"]
    assert [version["LayerVersionArn"] for version in by_arn] == [f"{arn}:1"]
    template = aws.client("cloudformation").get_template(StackName=stack)["TemplateBody"]
    address = template["Resources"]["Child"]["Properties"]["TemplateURL"]
    assert address == f"https://s3.us-east-1.amazonaws.com/{bucket}/child.json"


def test_a_nested_template_that_cannot_be_transformed_fails_its_stack(
    aws: Aws, stack: str, bucket: str
) -> None:
    child = {"Resources": {"Files": {"Type": "AWS::S3::Bucket", "Fn::Transform": {"Name": "AWS::Include"}}}}
    aws.client("s3").put_object(Bucket=bucket, Key="child.json", Body=json.dumps(child).encode())
    properties = {"TemplateURL": f"{aws.endpoint_url}/{bucket}/child.json"}
    template = {"Resources": {"Child": {"Type": "AWS::CloudFormation::Stack", "Properties": properties}}}
    cloudformation = aws.client("cloudformation")
    cloudformation.create_stack(
        StackName=stack, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_AUTO_EXPAND"]
    )

    assert ended(aws, stack) == "ROLLBACK_COMPLETE"
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    assert "Transform AWS::Include failed" in json.dumps(events, default=str)
