"""Uploading a file, and finding exactly the run that it started."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.problems import Trouble
from local.cli.endpoint import Endpoint

FIND_SECONDS = 30.0
# A larger file is uploaded in parts, several at a time.
LARGEST_PUT = 64 * 1024**2
_PART_BYTES = 16 * 1024**2
_PARTS_AT_A_TIME = 4

# Name and size of a file -> while entered, a function to call with each number of bytes that are uploaded.
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True)
class Upload:
    """One version of one object."""

    bucket: str
    key: str
    version_id: str
    at: float
    """When the upload began, in epoch seconds."""


def upload(
    endpoint: Endpoint, file: Path, bucket: str, key: str, progress: Progress, *, reuse: bool = True
) -> Upload:
    """Upload a file; the same key again makes a new version, which is a new run.

    Unless the run may `reuse` earlier results, the object says so.
    """
    client, size = endpoint.client("s3"), file.stat().st_size
    metadata = {} if reuse else {"reuse": "false"}
    began = time.time()
    if size <= LARGEST_PUT:
        body = file.read_bytes()
        version = client.put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata)["VersionId"]
    else:
        with progress(file.name, size) as uploaded:
            version = _upload_parts(client, file, bucket, key, metadata, uploaded)
    return Upload(bucket, key, version, began)


def _upload_parts(
    client: Any,
    file: Path,
    bucket: str,
    key: str,
    metadata: Mapping[str, str],
    uploaded: Callable[[int], None],
) -> str:
    """The version that the upload made."""
    from boto3.s3.transfer import TransferConfig

    answers: list[Any] = []

    # upload_file does not return S3's answer.
    def keep(parsed: Any, **_: Any) -> None:
        answers.append(parsed)

    config = TransferConfig(
        multipart_threshold=LARGEST_PUT,
        multipart_chunksize=_PART_BYTES,
        max_concurrency=_PARTS_AT_A_TIME,
        preferred_transfer_client="classic",
    )
    event = "after-call.s3.CompleteMultipartUpload"
    client.meta.events.register(event, keep)
    try:
        client.upload_file(
            str(file), bucket, key, ExtraArgs={"Metadata": metadata}, Callback=uploaded, Config=config
        )
    finally:
        client.meta.events.unregister(event, keep)
    return str(answers[-1]["VersionId"])


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
