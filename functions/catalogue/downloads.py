"""Links to the files of approved models, for a few minutes.

A link is signed with the function's session and ends with it, even if that comes first. It names its file by
key, so that whoever downloads must compare the digest.
"""

import os
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from catalogue.models import FILES, Json, read_kept
from catalogue.packages import find_approved, metadata
from model.kept import key_of
from shared.aws import client
from shared.refusals import Refused

LINK_SECONDS = 300
_ENDINGS = {"native": "tar.gz", "onnx": "onnx"}
_TYPES = {"native": "application/gzip", "onnx": "application/octet-stream"}


def link_to(workload: str, version: int, of: str) -> Json:
    """`{"url", "digest", "bytes", "filename"}` of an approved version's file. Raises Refused, in words."""
    if of not in FILES:
        raise Refused(400, f"There is no such format: choose one of {', '.join(FILES)}.")
    package = find_approved(workload, version)
    kept = read_kept(package)
    if of not in kept.files:
        raise Refused(409 if kept.problem else 404, kept.problem or f"Version {version} has no {of} file.")
    filename = f"{workload}-{version}.{_ENDINGS[of]}"
    url = _signed(
        key_of(metadata(package)["run_id"], FILES[of]),
        ResponseContentDisposition=f'attachment; filename="{filename}"',
        ResponseContentType=_TYPES[of],
    )
    found = kept.files[of]
    return {"url": url, "digest": found.digest, "bytes": found.bytes, "filename": filename}


@cache
def bucket_origin() -> str:
    """The origin of the links, for the page's content security policy."""
    parts = urlsplit(_signed("models/"))
    return f"{parts.scheme}://{parts.netloc}"


def _signed(key: str, **response: Any) -> str:
    # By itself, the SDK presigns with an older signature, which S3 refuses for objects under a KMS key.
    url = client("s3", signature_version="s3v4").generate_presigned_url(
        "get_object",
        Params={"Bucket": os.environ["BUCKET_NAME"], "Key": key, **response},
        ExpiresIn=LINK_SECONDS,
    )
    return str(url)
