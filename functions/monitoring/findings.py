"""Reads what the monitoring job wrote, after comparing its digest with the one that the job reported."""

import hashlib
import os

from botocore.exceptions import ClientError

from common.monitored import Monitored, parse
from shared.aws import client, error_code
from shared.telemetry import PublicError
from shared.text import number

# Histograms of a few hundred features fit.
_LARGEST = 5_000_000
FINDINGS = "monitoring.json"


class FindingsRefused(PublicError):
    """What the job found is missing or was changed. The text names the file."""


def read_findings(folder: str, digest: str) -> Monitored:
    """The job's `monitoring.json` in a folder of the bucket. Raises FindingsRefused."""
    key = f"{folder}{FINDINGS}"
    try:
        answer = client("s3").get_object(Bucket=os.environ["BUCKET_NAME"], Key=key)
    except ClientError as error:
        if error_code(error) == "NoSuchKey":
            raise FindingsRefused(f"{key} is missing: it was not written, or it was deleted") from None
        raise
    if answer["ContentLength"] > _LARGEST:
        raise FindingsRefused(
            f"{key} has {number(answer['ContentLength'])} bytes, more than {number(_LARGEST)}"
        )
    body: bytes = answer["Body"].read()
    found = f"sha256:{hashlib.sha256(body).hexdigest()}"
    if found != digest:
        raise FindingsRefused(
            f"{key} was changed after the job wrote it: its digest is {found}, not {digest}"
        )
    return parse(body.decode("utf-8", errors="replace"))
