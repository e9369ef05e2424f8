"""Links to objects in the pipeline's bucket, for whoever has one.

A link is signed with the function's session and ends with it, even if that comes first.
"""

import os
from dataclasses import dataclass, field
from typing import Any

from shared.aws import client


@dataclass(frozen=True)
class Link:
    """A link, and the time when it ends at the latest, for people."""

    url: str = field(repr=False)
    until: str


def signed_link(key: str, seconds: float, **response: Any) -> str:
    """A link that returns the object, with these parameters of GetObject's response."""
    # By itself, the SDK presigns with an older signature, which S3 refuses for objects under a KMS key.
    url = client("s3", signature_version="s3v4").generate_presigned_url(
        "get_object",
        Params={"Bucket": os.environ["BUCKET_NAME"], "Key": key, **response},
        ExpiresIn=int(seconds),
    )
    return str(url)
