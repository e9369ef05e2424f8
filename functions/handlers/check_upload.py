"""Keep the claimed version of an upload for the run, and refuse it at once if it is not usable.

Up to MAX_CHECKED_BYTES the whole file is checked, above that its beginning; the processing job checks
everything.
"""

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from botocore.exceptions import ClientError

from auto_mpg.cars import BadUpload, Counts, check_cars
from model.artifacts import copy
from shared.aws import client, prepare
from shared.object_errors import explain
from shared.telemetry import Answer, Event, PublicError, count, logger, observed
from shared.text import number, one_line

prepare("s3")

# The processing job holds all cars in memory: thirty times the bytes of a file, if its rows are as short as
# can be, and an ml.m5.large has 8 GiB. It would be millions of cars.
LARGEST_BYTES = 128 * 1024**2
HEAD_BYTES = 1024 * 1024
# Inside S3, a copy of the largest file may take a minute until it says something.
_COPY_SECONDS = 90


class UploadRefused(PublicError):
    """The file cannot be used. Its text is for the person who uploaded it."""


@dataclass(frozen=True)
class Upload:
    """One version of an uploaded object. `key` is as S3 keeps it: EventBridge gets keys unencoded."""

    run_id: str
    bucket: str
    key: str
    version_id: str
    size: int

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "Upload":
        """Read the input of the state `Check upload`."""
        return cls(event["run_id"], event["bucket"], event["key"], event["version_id"], int(event["size"]))

    @property
    def name(self) -> str:
        """The key as messages show it."""
        return one_line(self.key, 256)

    @property
    def address(self) -> dict[str, str]:
        """What S3 calls take; an object from before versioning has no version id."""
        version = {"VersionId": self.version_id} if self.version_id else {}
        return {"Bucket": self.bucket, "Key": self.key, **version}


@observed
def handler(event: Event) -> Answer:
    upload = Upload.from_event(event)
    try:
        answer = check(upload, whole_up_to=int(os.environ["MAX_CHECKED_BYTES"]))
    except UploadRefused:
        logger.info("upload refused", run_id=upload.run_id, key=upload.name, size=upload.size)
        count("UploadRefused")
        raise
    logger.info("upload accepted", key=upload.name, size=upload.size, **answer)
    count("UploadAccepted")
    return answer


def check(upload: Upload, whole_up_to: int) -> Answer:
    """Check the file and copy it to the run's folder. Raises UploadRefused."""
    if upload.size > LARGEST_BYTES:
        raise UploadRefused(_too_large(upload))
    whole = upload.size <= whole_up_to
    try:
        counts = _check_content(upload, whole)
        kept_as = f"runs/{upload.run_id}/input/upload.csv"
        digest = copy(upload.address, upload.bucket, kept_as, "text/csv", read_timeout=_COPY_SECONDS)
    except BadUpload as problem:
        raise UploadRefused(str(problem)) from None
    except ClientError as error:
        if reason := explain(error):
            raise UploadRefused(f"{upload.name}: {reason}") from None
        raise
    return {
        "upload_key": kept_as,
        "digest": digest,
        "rows": counts.rows,
        "labelled": counts.labelled,
        "checked": "whole" if whole else "head",
    }


def _check_content(upload: Upload, whole: bool) -> Counts:
    part = {} if whole else {"Range": f"bytes=0-{HEAD_BYTES - 1}"}
    body = client("s3").get_object(**upload.address, **part)["Body"]
    # Streamed, so that memory does not grow with the file.
    stream = cast(BinaryIO, io.BufferedReader(body, HEAD_BYTES))
    return check_cars(stream, upload.name, whole=whole)


def _too_large(upload: Upload) -> str:
    return (
        f"{upload.name}: the file has {number(upload.size)} bytes; at most {number(LARGEST_BYTES)} "
        "(128 MiB) can be used. Upload it in smaller files; each starts a run of its own."
    )
