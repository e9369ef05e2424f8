"""The Lambda of a CloudFormation custom resource: publishes the workloads in its own package.

It packs their code, copies it to the bucket, from which the jobs fetch it, with the libraries that their
images lack, and creates a model package group for each workload. The folder's name is the hash of its
content, and nothing in it is ever changed or deleted: a run keeps the code with which it began.
"""

import json
import logging
import os
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from code_digests import digest
from packing import pack
from workload_files import BadWorkload, read_workloads

# CloudFormation deletes the resource behind an id that changes.
PHYSICAL_ID = "processing-code"
# `deploy.destroy` finds the groups of a stack by it.
STACK_TAG = "stack"
_FOLDER = Path(__file__).parent
_CONTENT_TYPES = {
    ".zip": "application/zip",
    ".gz": "application/gzip",
    ".json": "application/json",
    ".whl": "application/zip",
}
_LONGEST_REASON = 1000
_LONGEST_GROUP_NAME = 63

_log = logging.getLogger(__name__)


class Unpublishable(Exception):
    """The deployment cannot go on; the message is for the person who deploys."""


def handler(event: Mapping[str, Any], context: object) -> None:
    """Publish on Create and Update, do nothing on Delete, and always answer: CloudFormation waits for it."""
    try:
        data = {} if event["RequestType"] == "Delete" else publish(event)
    except (BadWorkload, Unpublishable) as problem:
        _answer(event, "FAILED", reason=str(problem))
    except Exception:
        _log.exception("publishing failed")
        _answer(event, "FAILED", reason=_look_in_the_log())
    else:
        _answer(event, "SUCCESS", data=data)


def publish(event: Mapping[str, Any], folder: Path = _FOLDER) -> dict[str, str]:
    """Publish the workloads of a folder for the event's stack; returns the custom resource's attributes.

    The event's properties are `Parameters` (values for gates), `DefaultWorkload` and
    `ModelPackageGroupPrefix`. Raises BadWorkload and Unpublishable.
    """
    asked = event["ResourceProperties"]
    workloads = read_workloads(folder, asked["Parameters"])
    default = asked["DefaultWorkload"]
    if default not in workloads:
        raise Unpublishable(
            f"DefaultWorkload: there is no workload {default}; there are {', '.join(workloads)}"
        )
    stack = event["StackId"].split("/")[1]
    for name, settings in workloads.items():
        make_group(group_name(asked["ModelPackageGroupPrefix"], name), settings["description"], stack, name)
    return {"CodePrefix": put_files(os.environ["BUCKET_NAME"], pack(folder, workloads))}


def put_files(bucket: str, files: Mapping[str, bytes]) -> str:
    """Put the files into the bucket; returns their prefix, `code/<hash>/`."""
    prefix = f"code/{content_hash(files)}/"
    client = boto3.client("s3")
    for name, content in files.items():
        client.put_object(
            Bucket=bucket,
            Key=prefix + name,
            Body=content,
            ContentType=_CONTENT_TYPES[Path(name).suffix],
            ChecksumAlgorithm="SHA256",
        )
    return prefix


def content_hash(files: Mapping[str, bytes]) -> str:
    """16 hex digits that depend on every file's name and content."""
    return digest(files)[:16]


def group_name(prefix: str, workload: str) -> str:
    """The name of a workload's model package group. Raises Unpublishable if it is too long."""
    name = f"{prefix}-{workload.replace('_', '-')}"
    if len(name) > _LONGEST_GROUP_NAME:
        raise Unpublishable(
            f"the name of the model package group {name} has more than {_LONGEST_GROUP_NAME} characters, "
            "SageMaker's limit; give the stack or the workload a shorter name"
        )
    return name


def make_group(name: str, description: str, stack: str, workload: str) -> None:
    """Create a model package group of the stack, unless it exists. Raises Unpublishable.

    Its versions have its tags: its owner's, and those by which costs are allocated (docs/costs.md).
    """
    tags = {STACK_TAG: stack, "mpg:stack": stack, "mpg:workload": workload}
    client = boto3.client("sagemaker")
    try:
        client.create_model_package_group(
            ModelPackageGroupName=name,
            ModelPackageGroupDescription=description,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
    except ClientError as error:
        if "already exists" not in error.response["Error"].get("Message", ""):
            raise
        if _owner(client, name) != stack:
            raise Unpublishable(
                f"the model package group {name} exists and does not belong to the stack {stack}; delete it, "
                f"tag it {STACK_TAG}={stack} to hand it over, or give the stack another name"
            ) from None


def _owner(client: Any, group: str) -> str:
    """The stack that created a group, even if it was deleted since; empty if no stack did."""
    arn = client.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    pages = client.get_paginator("list_tags").paginate(ResourceArn=arn)
    tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
    return str(tags.get(STACK_TAG, ""))


def _look_in_the_log() -> str:
    """What to say of an unexpected error, whose own words are for the log alone."""
    group = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME", "of this function")
    stream = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "the newest")
    return (
        f"The workloads could not be published. The log group {group} has the reason (log stream {stream}). "
        "If a rollback has deleted it, deploy once more with: sam deploy --disable-rollback"
    )


def _answer(
    event: Mapping[str, Any], status: str, data: Mapping[str, str] | None = None, reason: str = ""
) -> None:
    answer = {
        "Status": status,
        "Reason": reason[:_LONGEST_REASON],
        "PhysicalResourceId": PHYSICAL_ID,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": data or {},
    }
    # The URL is presigned for a request without a content type.
    request = urllib.request.Request(  # noqa: S310 - CloudFormation gives the URL
        event["ResponseURL"], data=json.dumps(answer).encode(), headers={"Content-Type": ""}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - the same URL
        pass
