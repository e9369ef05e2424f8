"""The model of a workload that monitoring watches: the one that answers, or else the newest approved one."""

import os
from dataclasses import dataclass
from datetime import datetime

from model.approved import approved_in
from model.kept import MODEL, key_of
from model.live import find_live
from shared.aws import client
from shared.text import timestamp


@dataclass(frozen=True)
class WatchedModel:
    """`since` is when it went live or was approved; `endpoint` is SageMaker's, empty if none answers."""

    package_arn: str
    model_key: str
    digest: str
    since: str
    endpoint: str = ""


def watched_model(workload: str) -> WatchedModel | None:
    """The model to watch; None if there is none, or its file is gone."""
    live = find_live(workload)
    if live:
        on_sagemaker = live.endpoint_type != "function"
        return _described(live.package_arn, live.since, live.endpoint_name if on_sagemaker else "")
    group = f"{os.environ['MODEL_PACKAGE_GROUP_PREFIX']}-{workload.replace('_', '-')}"
    newest = next(approved_in(group), None)
    return _described(str(newest["ModelPackageArn"])) if newest else None


def _described(package_arn: str, since: str = "", endpoint: str = "") -> WatchedModel | None:
    package = client("sagemaker").describe_model_package(ModelPackageName=package_arn)
    metadata = package.get("CustomerMetadataProperties", {})
    if "run_id" not in metadata:
        return None  # registered by hand
    key = key_of(metadata["run_id"], MODEL)
    if not _exists(key):
        return None
    approved: datetime = package.get("LastModifiedTime") or package["CreationTime"]
    return WatchedModel(
        package_arn, key, metadata.get("model_digest", "none"), since or timestamp(approved), endpoint
    )


def _exists(key: str) -> bool:
    # A job whose input is missing fails before its script runs. A list needs no right to read any file.
    found = client("s3").list_objects_v2(Bucket=os.environ["BUCKET_NAME"], Prefix=key, MaxKeys=1)
    return bool(found["KeyCount"])
