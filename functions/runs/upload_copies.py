"""Copies the claimed version of an upload within S3, in parts if it is large.

S3 computes the digest of the copy, which `common.digests` explains.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/CopyingObjectsMPUapi.html
"""

import base64
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from common.digests import IN_PARTS, PART_BYTES
from model.artifacts import copy
from shared.aws import client

_CONTENT_TYPE = "application/octet-stream"
# S3 answers when it has copied a part, or a small file, which takes it a second or two.
SECONDS = 60
# 10 GiB have 160 parts: at 16 a time they take S3 less than half a minute of the function's five.
_AT_A_TIME = 16


def copy_upload(source: Mapping[str, str], size: int, bucket: str, key: str) -> str:
    """Copy a version of so many bytes, as CopyObject wants its source named; returns the copy's digest.

    A failed copy leaves nothing. What a killed function leaves, the bucket's rule AbortUploads removes.
    """
    if size <= PART_BYTES:
        return copy(source, bucket, key, _CONTENT_TYPE, read_timeout=SECONDS)
    s3 = client("s3", read_timeout=SECONDS, max_pool_connections=_AT_A_TIME)
    created = s3.create_multipart_upload(
        Bucket=bucket, Key=key, ContentType=_CONTENT_TYPE, ChecksumAlgorithm="SHA256"
    )
    copied = {"Bucket": bucket, "Key": key, "UploadId": created["UploadId"]}
    try:
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            parts = list(pool.map(partial(_copy_part, s3, copied, source, size), range(0, size, PART_BYTES)))
        made = s3.complete_multipart_upload(**copied, MultipartUpload={"Parts": parts})
    except (ClientError, BotoCoreError):
        with suppress(ClientError, BotoCoreError):
            s3.abort_multipart_upload(**copied)
        raise
    # After the dash is the number of parts.
    return f"{IN_PARTS}{base64.b64decode(made['ChecksumSHA256'].partition('-')[0]).hex()}"


def _copy_part(
    s3: Any, copied: Mapping[str, str], source: Mapping[str, str], size: int, start: int
) -> Mapping[str, Any]:
    """Copy the part that begins there; returns it as CompleteMultipartUpload wants it named."""
    number, last = start // PART_BYTES + 1, min(start + PART_BYTES, size) - 1
    answer = s3.upload_part_copy(
        **copied, PartNumber=number, CopySource=source, CopySourceRange=f"bytes={start}-{last}"
    )["CopyPartResult"]
    return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": answer["ChecksumSHA256"]}
