"""Delete a stack and everything that it created, including models and approvals. Nothing can be restored.

`sam delete` alone keeps bucket, table and model package group, so that nobody loses models by accident.
"""

import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

from deploy.belongings import Belongings, Clients, find_belongings, missing
from deploy.endpoints import delete_endpoints, existing
from deploy.jobs import Pause, delete_models, stop_jobs
from deploy.problems import Trouble

Say = Callable[[str], None]
EMPTYINGS = 5


def destroy(clients: Clients, belongings: Belongings, *, say: Say = print, pause: Pause = time.sleep) -> None:
    """Delete all of it. Skips what is already gone, so an interrupted attempt can be repeated."""
    stop_work(clients, belongings, say, pause)
    deleted = delete_endpoints(clients, belongings.endpoints, pause=pause)
    say(f"endpoints deleted: {deleted}")
    for group in belongings.retained.groups:
        say(f"model packages of {group} deleted: {delete_packages(clients('sagemaker'), group)}")
    if belongings.stack_id:
        delete_stack(clients("cloudformation"), belongings.stack_id, pause)
        say("stack deleted")
    for bucket in belongings.retained.buckets:
        say(f"bucket {bucket} deleted with {delete_bucket(clients('s3'), bucket)} objects and versions")
    for table in belongings.retained.tables:
        clients("dynamodb").delete_table(TableName=table)
        say(f"table {table} deleted")
    for group in belongings.retained.groups:
        clients("sagemaker").delete_model_package_group(ModelPackageGroupName=group)
        say(f"model package group {group} deleted")


def stop_work(clients: Clients, belongings: Belongings, say: Say, pause: Pause) -> None:
    """Keep events and schedules from starting anything, and stop the active executions, and the jobs.

    Stopped executions would otherwise be reported, and a stopped release would be set right by another one.
    """
    for rule in belongings.rules:
        _disable(clients("events"), rule)
    for schedule in belongings.schedules:
        disable_schedule(clients("scheduler"), schedule)
    if belongings.state_machines:
        executions = _all_running(clients, belongings)
        for execution in executions:
            stop_execution(clients("stepfunctions"), execution)
        say(f"executions stopped: {len(executions)}")
    if belongings.roles:
        sagemaker = clients("sagemaker")
        say(f"jobs stopped: {stop_jobs(sagemaker, belongings.roles, pause=pause)}")
        say(f"models deleted: {delete_models(sagemaker, belongings.roles)}")


def _disable(events: Any, rule: str) -> None:
    _unless_missing(lambda: events.disable_rule(Name=rule))


def disable_schedule(scheduler: Any, name: str) -> None:
    """Keep a schedule from coming due; it may be gone."""

    def disable() -> None:
        # An update sets every property anew.
        settable = scheduler.meta.service_model.operation_model("UpdateSchedule").input_shape.members
        current = scheduler.get_schedule(Name=name)
        scheduler.update_schedule(
            **{key: current[key] for key in settable & current.keys()} | {"State": "DISABLED"}
        )

    _unless_missing(disable)


def _all_running(clients: Clients, belongings: Belongings) -> list[str]:
    return [
        execution
        for machine in belongings.state_machines
        for execution in running(clients("stepfunctions"), machine)
    ]


def running(stepfunctions: Any, state_machine: str) -> list[str]:
    """The ARNs of the state machine's executions that have not ended."""
    paginator = stepfunctions.get_paginator("list_executions")
    try:
        pages = list(paginator.paginate(stateMachineArn=state_machine, statusFilter="RUNNING"))
    except ClientError as error:
        if missing(error):
            return []
        raise
    return [execution["executionArn"] for page in pages for execution in page["executions"]]


def stop_execution(stepfunctions: Any, arn: str) -> None:
    """Stop an execution, which may have ended in the meantime."""
    cause = "The stack is being deleted."
    _unless_missing(lambda: stepfunctions.stop_execution(executionArn=arn, error="Destroyed", cause=cause))


def packages(sagemaker: Any, group: str) -> list[str]:
    """The ARNs of the group's model packages."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    return [package["ModelPackageArn"] for page in pages for package in page["ModelPackageSummaryList"]]


def delete_packages(sagemaker: Any, group: str) -> int:
    """Delete the group's model packages, so that it can be deleted; returns how many there were."""
    arns = packages(sagemaker, group)
    for arn in arns:
        sagemaker.delete_model_package(ModelPackageName=arn)
    return len(arns)


def delete_stack(cloudformation: Any, stack_id: str, pause: Pause, seconds: float = 1800) -> None:
    """Delete the stack and wait for it. Raises Trouble with CloudFormation's reason if that fails."""
    cloudformation.delete_stack(StackName=stack_id)
    deadline = time.monotonic() + seconds
    while (status := _status(cloudformation, stack_id)) != "DELETE_COMPLETE":
        if status == "DELETE_FAILED":
            raise Trouble(f"CloudFormation could not delete the stack: {_why(cloudformation, stack_id)}")
        if time.monotonic() > deadline:
            raise Trouble(f"The stack is still in {status} after {seconds:.0f} s", "Run this again later.")
        pause(2)


def delete_bucket(s3: Any, bucket: str) -> int:
    """Delete the bucket with every version of every object; returns how many versions there were."""
    uploads = s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket)
    for upload in (upload for page in uploads for upload in page.get("Uploads", [])):
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    deleted = 0
    # Access logs arrive hours later, even while the bucket is being emptied.
    for _ in range(EMPTYINGS):
        deleted += _empty(s3, bucket)
        if _is_deleted(s3, bucket):
            return deleted
    raise Trouble(f"The bucket {bucket} receives new objects while it is emptied", "Run this again later.")


def _empty(s3: Any, bucket: str) -> int:
    deleted = 0
    for versions in _versions(s3, bucket):
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
        for problem in answer.get("Errors", []):
            raise Trouble(f"S3 keeps {problem['Key']} in {bucket}: {problem['Code']} {problem['Message']}")
        deleted += len(versions)
    return deleted


def _is_deleted(s3: Any, bucket: str) -> bool:
    try:
        s3.delete_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] == "BucketNotEmpty":
            return False
        raise
    return True


def _versions(s3: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
    """Versions and delete markers, in batches that one request may delete, until none is left."""
    # Always the first page: the caller deletes the objects at which a marker for the next page would point.
    while True:
        page = s3.list_object_versions(Bucket=bucket)
        entries = page.get("Versions", []) + page.get("DeleteMarkers", [])
        if not entries:
            return
        yield [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]


def _status(cloudformation: Any, stack_id: str) -> str:
    try:
        return str(cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if "does not exist" in str(error):
            return "DELETE_COMPLETE"
        raise


def _why(cloudformation: Any, stack_id: str) -> str:
    events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"] == "DELETE_FAILED"]
    return "; ".join(
        f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}" for e in reversed(failed)
    )


def _unless_missing(call: Callable[[], object]) -> None:
    try:
        call()
    except ClientError as error:
        if not missing(error):
            raise


def describe(clients: Clients, stack_name: str, belongings: Belongings) -> Iterator[str]:
    """What would be deleted, for a person to read before they agree."""
    account = clients("sts").get_caller_identity()["Account"]
    yield f"This deletes for good, in account {account}, region {clients('cloudformation').meta.region_name}:"
    if belongings.stack_id:
        yield f"  the stack {stack_name} with {belongings.resources} resources"
    for bucket in belongings.retained.buckets:
        yield f"  the bucket {bucket} with every version of everything in it"
    for table in belongings.retained.tables:
        yield f"  the table {table} with the record of who approved what"
    for group in belongings.retained.groups:
        count = len(packages(clients("sagemaker"), group))
        yield f"  the model package group {group}, model packages in it: {count}"
    for endpoint in existing(clients("sagemaker"), belongings.endpoints):
        yield f"  the endpoint {endpoint}, which then answers nobody"
    if belongings.state_machines:
        count = len(_all_running(clients, belongings))
        yield f"  running executions, with their jobs: {count}"
    yield "It keeps the job logs under /aws/sagemaker/ and the SAM CLI's files in its own bucket."


def agreed(stack_name: str) -> bool:
    """Whether the person at the terminal types the stack's name."""
    try:
        return input(f"Type {stack_name} to delete all of this: ").strip() == stack_name
    except EOFError:
        print()
        return False


def run(stack_name: str, region: str | None, *, yes: bool) -> None:
    """Show what would be deleted, ask, delete. Raises Trouble if there is nothing or the person refuses."""
    session = boto3.Session(region_name=region)
    clients: Clients = cache(session.client)
    belongings = find_belongings(clients, stack_name)
    if not belongings.anything:
        where = clients("cloudformation").meta.region_name
        raise Trouble(
            f"There is no stack {stack_name} in {where}, and no leftovers of one", "Is the region right?"
        )
    print("\n".join(describe(clients, stack_name, belongings)))
    if not yes and not agreed(stack_name):
        raise Trouble("Nothing was deleted")
    destroy(clients, belongings)
