"""Uploading a file, and finding exactly the run that it started."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.problems import Trouble
from local.cli.endpoint import Endpoint

FIND_SECONDS = 30.0


@dataclass(frozen=True)
class Upload:
    """One version of one object."""

    bucket: str
    key: str
    version_id: str
    at: float
    """When the upload began, in epoch seconds."""


def upload(endpoint: Endpoint, file: Path, bucket: str, key: str, *, reuse: bool = True) -> Upload:
    """Upload a file; the same key again makes a new version, which is a new run.

    Unless the run may `reuse` earlier results, the object says so.
    """
    body = file.read_bytes()
    began = time.time()
    metadata = {} if reuse else {"reuse": "false"}
    answer = endpoint.client("s3").put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata)
    return Upload(bucket, key, answer["VersionId"], began)


def find_execution(endpoint: Endpoint, found: Upload, table: str, state_machine_arn: str) -> str:
    """The ARN of the execution that works on this upload.

    It is the execution whose claim on exactly this version is in the table. One that could not write its
    claim is found by its input. Raises Trouble if none starts.
    """
    deadline = time.monotonic() + FIND_SECONDS
    while time.monotonic() < deadline:
        arn = _claimed_by(endpoint, found, table) or _started_with(endpoint, found, state_machine_arn)
        if arn:
            return arn
        time.sleep(0.03)
    raise Trouble(
        f"The upload of {found.key} started no execution within {FIND_SECONDS:.0f} s",
        "Only keys below incoming/ do; what could not be delivered is in the rule's dead-letter queue.",
    )


def _claimed_by(endpoint: Endpoint, found: Upload, table: str) -> str | None:
    key = {"pk": {"S": f"upload#{found.bucket}/{found.key}#{found.version_id}"}}
    item = endpoint.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    return str(item["execution_arn"]["S"]) if item else None


def _started_with(endpoint: Endpoint, found: Upload, state_machine_arn: str) -> str | None:
    client = endpoint.client("stepfunctions")
    # Running executions have their claim, or will have it in a moment.
    listed = client.list_executions(stateMachineArn=state_machine_arn, statusFilter="FAILED", maxResults=20)
    for execution in listed["executions"]:
        if execution["startDate"].timestamp() < found.at - 1:
            break
        if _is_about(client.describe_execution(executionArn=execution["executionArn"])["input"], found):
            return str(execution["executionArn"])
    return None


def _is_about(execution_input: str, found: Upload) -> bool:
    detail: dict[str, Any] = json.loads(execution_input).get("detail", {})
    described = detail.get("object", {})
    return (described.get("key"), described.get("version-id")) == (found.key, found.version_id)
