"""Copies a run's files within S3, which computes the digest of each copy.

A digest is written `sha256:<hex>`, as in the jobs. S3 computes it from the bytes that it stores, so nobody
can change them between check and use. Later, S3 returns the digest without a download.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from botocore.exceptions import ClientError

from shared.aws import client, error_code
from shared.telemetry import PublicError


class ArtifactRefused(PublicError):
    """A file differs from the one that the evaluation wrote. The text names it."""


@dataclass(frozen=True)
class StoredFile:
    """An object's digest, as S3 has it (empty if `copy` did not make the object), and its size."""

    digest: str
    bytes: int


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
        # The copy has no metadata or tags of the source; copying tags would need further permissions.
        MetadataDirective="REPLACE",
        TaggingDirective="REPLACE",
    )
    return _digest(answer["CopyObjectResult"]["ChecksumSHA256"])


def stored_digest(bucket: str, key: str) -> str:
    """The digest of an object that `copy` made; empty if something else wrote it, or if it is missing."""
    found = stored_file(bucket, key)
    return found.digest if found else ""


def stored_file(bucket: str, key: str) -> StoredFile | None:
    """An object's digest and size, without a download; None if it is missing."""
    try:
        answer = client("s3").head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except ClientError as error:
        if error_code(error) == "404":
            return None
        raise
    checksum = answer.get("ChecksumSHA256", "")
    # With a dash, it is the checksum of the parts' checksums.
    digest = _digest(checksum) if checksum and "-" not in checksum else ""
    return StoredFile(digest, int(answer["ContentLength"]))


def _digest(checksum: str) -> str:
    return f"sha256:{base64.b64decode(checksum).hex()}"
