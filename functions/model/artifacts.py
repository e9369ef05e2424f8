"""Files that a run is about, copied inside S3, which says what it copied.

A digest is written `sha256:<hex>`, as the jobs write it. S3 computes it of the very bytes that it stores, so
nobody can change them between the check and the use, and tells it ever after without a download.
"""

import base64
from collections.abc import Mapping

from botocore.exceptions import ClientError

from shared.aws import client, error_code
from shared.telemetry import PublicError


class ArtifactRefused(PublicError):
    """A file is not the one that the evaluation wrote. Its text names it."""


def copy(source: Mapping[str, str], bucket: str, key: str, content_type: str, **config: float) -> str:
    """Copy an object of at most 5 GiB, as CopyObject wants its source named; returns the copy's digest.

    `config` is of the client, such as a `read_timeout` in seconds for a large object.
    """
    answer = client("s3", **config).copy_object(
        Bucket=bucket,
        Key=key,
        CopySource=source,
        ContentType=content_type,
        StorageClass="STANDARD",
        ChecksumAlgorithm="SHA256",
        # The source's own metadata and tags stay behind; copying tags would need permissions of its own.
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
    )
    return _digest(answer["CopyObjectResult"]["ChecksumSHA256"])


def stored_digest(bucket: str, key: str) -> str:
    """The digest of an object that `copy` made; empty if something else wrote it, or it is gone."""
    try:
        answer = client("s3").head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except ClientError as error:
        if error_code(error) == "404":
            return ""
        raise
    checksum = answer.get("ChecksumSHA256", "")
    # With a dash it is not of the object but of the checksums of its parts.
    return _digest(checksum) if checksum and "-" not in checksum else ""


def _digest(checksum: str) -> str:
    return f"sha256:{base64.b64decode(checksum).hex()}"
