"""Checks the claimed version of an upload by its workload's rules, and keeps it for the run.

A file up to MAX_CHECKED_BYTES is checked completely, and of a larger one, the beginning. The processing job
checks every file completely.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from botocore.exceptions import ClientError

from common.uploads import BadUpload, Counts
from common.workload import Workload, find_workloads
from costs.estimates import check_cost
from runs.upload_copies import copy_upload
from runs.workload_choice import LONGEST_NAME, choose
from shared.aws import client
from shared.object_errors import explain
from shared.telemetry import Answer, PublicError
from shared.text import number, one_line

HEAD_BYTES = 1024 * 1024


class UploadRefused(PublicError):
    """The file is unusable. The text is for the person who uploaded it."""


@dataclass(frozen=True)
class Upload:
    """One version of an uploaded object. `key` is as S3 keeps it: EventBridge gets keys unencoded."""

    run_id: str
    bucket: str
    key: str
    version_id: str
    size: int
    default_workload: str

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "Upload":
        """Read the input of the state `Check upload`."""
        return cls(
            event["run_id"],
            event["bucket"],
            event["key"],
            event["version_id"],
            int(event["size"]),
            event["default_workload"],
        )

    @property
    def name(self) -> str:
        """The key as shown in messages."""
        return one_line(self.key, LONGEST_NAME)

    @property
    def address(self) -> dict[str, str]:
        """Parameters of S3 calls; an object from before versioning has no version id."""
        version = {"VersionId": self.version_id} if self.version_id else {}
        return {"Bucket": self.bucket, "Key": self.key, **version}


def check(upload: Upload, whole_up_to: int) -> Answer:
    """Check the file by the rules of its workload and copy it to the run's folder.

    Raises UploadRefused, and RunTooExpensive before anything is copied.
    """
    try:
        return _check(upload, whole_up_to)
    except BadUpload as problem:
        raise UploadRefused(str(problem)) from None
    except ClientError as error:
        if reason := explain(error):
            raise UploadRefused(f"{upload.name}: {reason}") from None
        raise


def _check(upload: Upload, whole_up_to: int) -> Answer:
    choice = choose(upload.key, find_workloads(), upload.default_workload)
    if upload.size > choice.workload.max_bytes:
        raise BadUpload(_too_large(upload, choice.workload.max_bytes))
    whole = upload.size <= whole_up_to
    counts, metadata = _check_content(upload, choice.workload, whole)
    estimate = check_cost(choice.workload.name, upload.size)
    kept_as = f"runs/{upload.run_id}/input/upload{choice.suffix}"
    digest = copy_upload(upload.address, upload.size, upload.bucket, kept_as)
    return {
        "workload": choice.workload.name,
        "suffix": choice.suffix,
        "upload_key": kept_as,
        "digest": digest,
        "rows": counts.rows,
        "labelled": counts.labelled,
        "checked": "whole" if whole else "head",
        "reuse": metadata.get("reuse") != "false",
        **({"estimate": estimate.to_json()} if estimate else {}),
    }


def _check_content(upload: Upload, workload: Workload, whole: bool) -> tuple[Counts, Mapping[str, str]]:
    """The rows that were checked, and the metadata with which the file was uploaded."""
    part = {} if whole else {"Range": f"bytes=0-{HEAD_BYTES - 1}"}
    found = client("s3").get_object(**upload.address, **part)
    # Streamed, so that memory use does not depend on the file.
    stream = cast(BinaryIO, io.BufferedReader(found["Body"], HEAD_BYTES))
    counts: Counts = workload.module("upload").check(stream, upload.name, whole=whole)
    return counts, found["Metadata"]


def _too_large(upload: Upload, limit: int) -> str:
    return (
        f"{upload.name}: the file has {number(upload.size)} bytes; at most {number(limit)} can be used. "
        "Upload it in smaller files; each starts a run of its own."
    )
