"""The Lambda of a CloudFormation custom resource: puts the scripts of its package where the jobs fetch them.

A deployment so brings its scripts along. The folder in the bucket is named by their content, and nothing in
it is ever changed or deleted: runs under way keep the code that they started with.
"""

import hashlib
import json
import logging
import os
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

# CloudFormation deletes the resource behind an id that changes.
PHYSICAL_ID = "processing-code"
_FOLDER = Path(__file__).parent
_LONGEST_REASON = 1000

_log = logging.getLogger(__name__)


def handler(event: Mapping[str, Any], context: object) -> None:
    """Publish on Create and Update, do nothing on Delete, and always answer: CloudFormation waits for it."""
    try:
        data = {} if event["RequestType"] == "Delete" else {"CodePrefix": publish(os.environ["BUCKET_NAME"])}
    except Exception as error:
        _log.exception("publishing failed")
        _answer(event, "FAILED", reason=f"{type(error).__name__}: {error}")
    else:
        _answer(event, "SUCCESS", data=data)


def publish(bucket: str, folder: Path = _FOLDER) -> str:
    """Copy the scripts of a folder into the bucket; returns their prefix, `code/<hash>/`."""
    scripts = read_scripts(folder)
    prefix = f"code/{content_hash(scripts)}/"
    client = boto3.client("s3")
    for name, content in scripts.items():
        client.put_object(
            Bucket=bucket,
            Key=prefix + name,
            Body=content,
            ContentType="text/x-python",
            ChecksumAlgorithm="SHA256",
        )
    return prefix


def read_scripts(folder: Path) -> dict[str, bytes]:
    """The scripts by file name, this one left out: no job runs it."""
    paths = (path for path in sorted(folder.glob("*.py")) if path.name != Path(__file__).name)
    return {path.name: path.read_bytes() for path in paths}


def content_hash(scripts: Mapping[str, bytes]) -> str:
    """16 hex digits that change with any script's name or content."""
    digest = hashlib.sha256()
    for name, content in sorted(scripts.items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _answer(
    event: Mapping[str, Any], status: str, data: Mapping[str, str] | None = None, reason: str = ""
) -> None:
    answer = {
        "Status": status,
        "Reason": reason[:_LONGEST_REASON] or "See the function's log",
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
