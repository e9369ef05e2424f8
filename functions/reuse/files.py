"""The files that a result consists of, as S3 holds them."""

import hashlib
import json
import os
from typing import Any

from model.artifacts import ArtifactRefused
from shared.addresses import key_in_bucket
from shared.aws import client

# The file whose digest vouches for a step's result. The URI of a tuning's result is that of its model.
VOUCHERS = {"preprocess": "/summary.json", "tune": "", "evaluate": "/evaluation.json"}
_CHUNK = 1 << 20
_LARGEST_SUMMARY = 8 << 20


def digest(uri: str) -> str:
    """The SHA-256 of an object of the pipeline's bucket, as `sha256:<hex>`."""
    found = hashlib.sha256()
    for chunk in _read(uri).iter_chunks(_CHUNK):
        found.update(chunk)
    return f"sha256:{found.hexdigest()}"


def read_summary(prepared_uri: str, expected: str) -> dict[str, Any]:
    """The content of a preparation's `summary.json`. Raises ArtifactRefused if it has another digest."""
    content = _read(prepared_uri + VOUCHERS["preprocess"]).read(_LARGEST_SUMMARY)
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != expected:
        raise ArtifactRefused(f"{prepared_uri}{VOUCHERS['preprocess']} was changed after it was written")
    found: dict[str, Any] = json.loads(content)
    return found


def fingerprint(uri: str) -> str:
    """One hash of name, size and ETag of all objects below a folder, or of one object.

    It costs a listing, however large the objects are; whoever uses them checks their digests.
    """
    prefix, found = key_in_bucket(uri), hashlib.sha256()
    pages = (
        client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=os.environ["BUCKET_NAME"], Prefix=prefix)
    )
    for page in pages:
        for entry in page.get("Contents", []):
            name = entry["Key"].removeprefix(prefix)
            found.update(f"{name}\0{entry['Size']}\0{entry['ETag']}\0".encode())
    return found.hexdigest()


def _read(uri: str) -> Any:
    return client("s3").get_object(Bucket=os.environ["BUCKET_NAME"], Key=key_in_bucket(uri))["Body"]
