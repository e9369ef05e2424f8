"""S3 reports a missing object only to callers who may list its bucket; anybody else gets 403.

By https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html. The emulator returns 404 to everybody.
"""

from collections.abc import Callable
from typing import Any

from local.embedded.seams.permissions import also_ask

_READS = {"s3:GetObject", "s3:GetObjectVersion"}


def install_missing() -> None:
    """Check whether a caller who reads a missing object may list its bucket."""
    from ministack import app

    if app.AUTH:
        also_ask(_may_list)


def _may_list(ask: Callable[..., Any], action: str, service: str, region: str, resource: str) -> Any:
    bucket = resource.rpartition(":::")[2].partition("/")[0]
    if action in _READS and _has_bucket(bucket) and not object_exists(resource):
        return ask("s3:ListBucket", service, region, resource.partition("/")[0])
    return None


def object_exists(arn: str) -> bool:
    """Whether an object with this ARN exists."""
    from ministack.services import s3

    bucket, _, key = arn.rpartition(":::")[2].partition("/")
    return _has_bucket(bucket) and key in s3._buckets[bucket]["objects"]


def _has_bucket(name: str) -> bool:
    from ministack.services import s3

    return name in s3._buckets
