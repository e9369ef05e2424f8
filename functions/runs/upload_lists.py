"""The list of the uploads that a run uses together, which takes the place of the one upload.

It names the copy, the digest and the own name of each, the earliest first. The list's digest is passed on
like that of an upload, outside of the bucket, so that the job refuses another list, and so another file.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from common.digests import WHOLE
from shared.aws import client


@dataclass(frozen=True)
class Listed:
    """A copy, as `file` beside the list, and what messages call it."""

    file: str
    digest: str
    name: str


def write_list(files: Sequence[Listed], bucket: str, key: str) -> str:
    """Write the list, and return its digest."""
    content = json.dumps({"files": [asdict(file) for file in files]}, indent=1).encode()
    client("s3").put_object(Bucket=bucket, Key=key, Body=content, ContentType="application/json")
    return f"{WHOLE}{hashlib.sha256(content).hexdigest()}"
