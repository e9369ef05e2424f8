"""S3 tells that an object is missing only to who may list its bucket; to anybody else it says 403.

By https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html. The emulator says 404 to everybody.
"""

from typing import Any

_READS = {"s3:GetObject", "s3:GetObjectVersion"}


def install_missing() -> None:
    """Ask whoever reads an object that is not there whether they may list its bucket."""
    from ministack import app
    from ministack.core import iam_evaluator

    if not app.AUTH:
        return
    enforce = iam_evaluator.enforce

    def enforce_with_list(
        access_key: str,
        action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        *rest: Any,
        **more: Any,
    ) -> Any:
        denied = enforce(access_key, action, service, region, resource_arn, *rest, **more)
        if denied is None and action in _READS and _is_missing(resource_arn):
            bucket, _, _ = resource_arn.partition("/")
            denied = enforce(access_key, "s3:ListBucket", service, region, bucket)
        return denied

    iam_evaluator.enforce = enforce_with_list


def _is_missing(resource_arn: str) -> bool:
    from ministack.services import s3

    bucket, _, key = resource_arn.rpartition(":::")[2].partition("/")
    return bucket in s3._buckets and key not in s3._buckets[bucket]["objects"]
