"""Checks the claimed version of an upload by its workload's rules, and keeps it for the run.

A file up to MAX_CHECKED_BYTES is checked completely, and of a larger one, the beginning. The processing job
checks every file completely. A retraining may have several uploads, which are kept with a list of them.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, cast

from botocore.exceptions import ClientError

from common.uploads import LIST, MOST_TOGETHER, BadUpload, Counts
from common.workload import Workload, find_workloads
from costs.estimates import check_cost
from runs.upload_copies import copy_upload
from runs.upload_lists import Listed, write_list
from runs.workload_choice import LONGEST_NAME, Choice, choose
from shared.aws import client
from shared.object_errors import explain
from shared.telemetry import Answer, PublicError
from shared.text import number, one_line

HEAD_BYTES = 1024 * 1024


class UploadRefused(PublicError):
    """The file is unusable. The text is for the person who uploaded it."""


@dataclass(frozen=True)
class Upload:
    """One version of an uploaded object. `key` is as S3 keeps it: EventBridge gets keys unencoded.

    `together` has the uploads that the run uses, the earliest first, if there are several; then the object is
    the newest one, and `size` is that of all.
    """

    run_id: str
    bucket: str
    key: str
    version_id: str
    size: int
    default_workload: str
    together: Sequence["Upload"] = ()

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "Upload":
        """Read the input of the state `Check upload`."""
        upload = cls(
            event["run_id"],
            event["bucket"],
            event["key"],
            event["version_id"],
            int(event["size"]),
            event["default_workload"],
        )
        # A run that began before the deployment does not say.
        several = event.get("uploads") or []
        return replace(
            upload,
            together=tuple(
                replace(upload, key=each["key"], version_id=each["version_id"], size=int(each["size"]))
                for each in several
            ),
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


def _check(upload: Upload, whole_up_to: int) -> Answer:
    choice = choose(upload.key, find_workloads(), upload.default_workload)
    if upload.size > choice.workload.max_bytes:
        raise BadUpload(_too_large(upload, choice.workload.max_bytes))
    whole = upload.size <= whole_up_to
    estimate = check_cost(choice.workload.name, upload.size)
    kept = _keep_together(upload, choice, whole) if upload.together else _keep(upload, choice, whole, "")
    return {
        "workload": choice.workload.name,
        "upload_key": f"runs/{upload.run_id}/input/upload{kept['suffix']}",
        "checked": "whole" if whole else "head",
        **({"estimate": estimate.to_json()} if estimate else {}),
        **kept,
    }


def _keep(upload: Upload, choice: Choice, whole: bool, place: str) -> Answer:
    """Check an upload, and copy it for the run. Raises BadUpload."""
    suffix = f"{place}{choice.suffix}"
    kept_as = f"runs/{upload.run_id}/input/upload{suffix}"
    try:
        counts, metadata = _check_content(upload, choice.workload, whole)
        digest = copy_upload(upload.address, upload.size, upload.bucket, kept_as)
    except ClientError as error:
        if reason := explain(error):
            raise BadUpload(f"{upload.name}: {reason}") from None
        raise
    return {
        "suffix": suffix,
        "digest": digest,
        "rows": counts.rows,
        "labelled": counts.labelled,
        "reuse": metadata.get("reuse") != "false",
    }


def _keep_together(newest: Upload, choice: Choice, whole: bool) -> Answer:
    """The same for several uploads, whose list takes the place of the one upload."""
    workload = choice.workload
    if not workload.takes_several or len(newest.together) > MOST_TOGETHER:
        most = MOST_TOGETHER if workload.takes_several else 1
        raise BadUpload(f"{newest.name}: {workload.name} can use at most {most} files together")
    listed = []
    reuse = True
    for place, upload in enumerate(newest.together):
        own = choose(upload.key, find_workloads(), upload.default_workload)
        if own.workload != workload:
            raise BadUpload(f"{upload.name} is for {own.workload.name}, and not for {workload.name}")
        kept = _keep(upload, own, whole, f".{place:05}")
        listed.append(Listed(f"upload{kept['suffix']}", kept["digest"], upload.name))
        reuse &= kept["reuse"]
    key = f"runs/{newest.run_id}/input/{LIST}"
    return {
        "suffix": LIST.removeprefix("upload"),
        "digest": write_list(listed, newest.bucket, key),
        "rows": None,
        "labelled": None,
        "reuse": reuse,
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
