"""What belongs to a stack: the resources that CloudFormation lists, and leftovers of a deleted stack."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from shared.jobs import LARGEST_PAGES

Clients = Callable[[str], Any]

_RETAINED = {
    "AWS::S3::Bucket": "buckets",
    "AWS::DynamoDB::Table": "tables",
}
# What the deployment puts on each model package group that it makes (processing/publish.py).
STACK_TAG = "stack"

_MISSING = {
    "NoSuchBucket",
    "404",
    "ResourceNotFoundException",
    "ResourceNotFound",
    "StateMachineDoesNotExist",
    "ExecutionDoesNotExist",
}


@dataclass(frozen=True)
class Retained:
    """The resources that outlive a deleted stack."""

    buckets: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Belongings:
    """Names as the services expect them. Without `stack_id` they are leftovers of deleted stacks."""

    stack_id: str | None
    status: str = ""
    resources: int = 0
    rules: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()
    state_machines: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    retained: Retained = field(default_factory=Retained)
    endpoints: tuple[str, ...] = ()
    """The endpoints that the stack may have."""

    @property
    def anything(self) -> bool:
        return self.stack_id is not None or self.retained != Retained()


def find_belongings(clients: Clients, stack_name: str) -> Belongings:
    """The belongings of the stack with that name, or else of deleted stacks with that name."""
    cloudformation = clients("cloudformation")
    stack = _live_stack(cloudformation, stack_name)
    if stack is None:
        left_behind = _left_behind(cloudformation, stack_name)
        retained = _existing(clients, left_behind, stack_name)
        return Belongings(None, retained=retained, endpoints=endpoint_names(stack_name, retained.groups))
    stack_id = str(stack["StackId"])
    resources = [
        resource
        for resource in _resources(cloudformation, stack_id)
        if resource["ResourceStatus"] != "DELETE_COMPLETE" and resource.get("PhysicalResourceId")
    ]

    def of_type(kind: str) -> tuple[str, ...]:
        return tuple(found["PhysicalResourceId"] for found in resources if found["ResourceType"] == kind)

    return Belongings(
        stack_id,
        str(stack["StackStatus"]),
        len(resources),
        rules=of_type("AWS::Events::Rule"),
        schedules=of_type("AWS::Scheduler::Schedule"),
        state_machines=of_type("AWS::StepFunctions::StateMachine"),
        roles=of_type("AWS::IAM::Role"),
        retained=(retained := _existing(clients, resources, stack_name)),
        endpoints=endpoint_names(stack_name, retained.groups),
    )


def endpoint_names(stack_name: str, groups: Iterable[str]) -> tuple[str, ...]:
    """The endpoints that a stack may have: one for each workload, which has a group `<stack>--<workload>`."""
    prefix = f"{stack_name}--"
    return tuple(f"{stack_name}-{group.removeprefix(prefix)}" for group in groups if group.startswith(prefix))


def missing(error: ClientError) -> bool:
    """Whether a service reports that the requested thing does not exist."""
    answer = error.response["Error"]
    absent = ("does not exist", "not found", "not exist", "could not find", "Could not find")
    return answer["Code"] in _MISSING or (
        answer["Code"] == "ValidationException" and any(text in answer.get("Message", "") for text in absent)
    )


def _live_stack(cloudformation: Any, stack_name: str) -> Mapping[str, Any] | None:
    try:
        stack: Mapping[str, Any] = cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
    except ClientError as error:
        # CloudFormation has no specific error code for this.
        if error.response["Error"]["Code"] == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    return None if stack["StackStatus"] == "DELETE_COMPLETE" else stack


def _left_behind(cloudformation: Any, stack_name: str) -> Iterator[Mapping[str, Any]]:
    pages = cloudformation.get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"])
    deleted = [
        stack for page in pages for stack in page["StackSummaries"] if stack["StackName"] == stack_name
    ]
    for stack in deleted:
        for page in cloudformation.get_paginator("describe_stack_events").paginate(
            StackName=stack["StackId"]
        ):
            yield from (event for event in page["StackEvents"] if event["ResourceStatus"] == "DELETE_SKIPPED")


def _resources(cloudformation: Any, stack_id: str) -> Iterator[Mapping[str, Any]]:
    """The resources of a stack and of those nested in it."""
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_id):
        for resource in page["StackResourceSummaries"]:
            yield resource
            nested = resource["ResourceType"] == "AWS::CloudFormation::Stack"
            if nested and resource.get("PhysicalResourceId"):
                yield from _resources(cloudformation, resource["PhysicalResourceId"])


def _existing(clients: Clients, resources: Iterable[Mapping[str, Any]], stack_name: str) -> Retained:
    """The retained ones among the resources that are still there, and the stack's model package groups."""
    found: dict[str, list[str]] = {kind: [] for kind in _RETAINED.values()}
    for resource in resources:
        kind = _RETAINED.get(resource["ResourceType"])
        name = str(resource.get("PhysicalResourceId", "")).rpartition("/")[2]
        if kind and name not in found[kind] and _is_there(clients, kind, name):
            found[kind].append(name)
    return Retained(tuple(found["buckets"]), tuple(found["tables"]), _groups(clients, stack_name))


def _groups(clients: Clients, stack_name: str) -> tuple[str, ...]:
    """The model package groups with the stack's tag; another stack's may have a name that begins alike."""
    sagemaker = clients("sagemaker")
    pages = sagemaker.get_paginator("list_model_package_groups").paginate(
        NameContains=stack_name, PaginationConfig=LARGEST_PAGES
    )
    groups = [group for page in pages for group in page["ModelPackageGroupSummaryList"]]
    return tuple(
        group["ModelPackageGroupName"]
        for group in groups
        if {"Key": STACK_TAG, "Value": stack_name} in _tags(sagemaker, group["ModelPackageGroupArn"])
    )


def _tags(sagemaker: Any, arn: str) -> list[Mapping[str, str]]:
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
    return [tag for page in pages for tag in page["Tags"]]


def _is_there(clients: Clients, kind: str, name: str) -> bool:
    look = {
        "buckets": lambda: clients("s3").head_bucket(Bucket=name),
        "tables": lambda: clients("dynamodb").describe_table(TableName=name),
    }
    try:
        look[kind]()
    except ClientError as error:
        if missing(error):
            return False
        raise
    return True
