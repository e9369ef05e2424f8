"""Approved model packages of this stack's groups, newest first, a page at a time.

A page's token is the creation time and the ARN of its last package. Unlike SageMaker's own token it covers
several groups, and never expires.
"""

import base64
import binascii
import heapq
import itertools
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from botocore.exceptions import ClientError

from approval.packages import verdict_of
from model.approved import approved_in
from shared.aws import client, error_code
from shared.jobs import LARGEST_PAGES
from shared.refusals import Refused

PAGE = 20
_WORKLOAD = re.compile(r"[a-z][a-z0-9_]{0,30}")
_TOKEN = re.compile(r"(\d{1,17}) (arn:[\w:/.-]{1,240})")
# SageMaker's codes for a package or group that does not exist.
_MISSING = {"ValidationException", "ResourceNotFound"}


@dataclass(frozen=True, order=True)
class Package:
    """A version of a workload's model. Packages are ordered by age."""

    created_at: datetime
    arn: str
    workload: str
    version: int


@dataclass(frozen=True)
class Page:
    """Some packages, newest first, and the token of the next page; None after the last one."""

    packages: list[Package]
    next: str | None


def approved(workload: str | None = None, token: str | None = None) -> Page:
    """A page of the approved packages, of all workloads or of one. Raises Refused."""
    last = _read_token(token) if token else None
    lists = (_in_group(name, of, last) for of, (name, _) in _groups(workload).items())
    found = list(itertools.islice(heapq.merge(*lists, reverse=True), PAGE + 1))
    page = found[:PAGE]
    return Page(page, _token_of(page[-1]) if len(found) > PAGE else None)


def find_approved(workload: str, version: int) -> Package:
    """The package of a version. Raises Refused if there is none, or if it is not approved."""
    _, group_arn = _groups(workload)[workload]
    arn = f"{group_arn.replace(':model-package-group/', ':model-package/')}/{version}"
    unknown = f"There is no version {version} of {workload}."
    if version < 1:
        raise Refused(404, unknown)
    try:
        described = client("sagemaker").describe_model_package(ModelPackageName=arn)
    except ClientError as error:
        if error_code(error) in _MISSING:
            raise Refused(404, unknown) from None
        raise
    if verdict_of(str(described.get("ModelApprovalStatus"))) != "approved":
        raise Refused(403, f"Version {version} of {workload} is not approved.")
    return Package(described["CreationTime"], arn, workload, version)


@lru_cache(maxsize=500)
def metadata(package: Package) -> Mapping[str, str]:
    """What the pipeline wrote when it registered the package, such as `run_id` and `evaluation_digest`."""
    described = client("sagemaker").describe_model_package(ModelPackageName=package.arn)
    return dict(described.get("CustomerMetadataProperties", {}))


def _groups(workload: str | None) -> dict[str, tuple[str, str]]:
    """Name and ARN of each workload's group, or of this workload's. Raises Refused if there is none."""
    prefix = f"{os.environ['MODEL_PACKAGE_GROUP_PREFIX']}-"
    pages = (
        client("sagemaker")
        .get_paginator("list_model_package_groups")
        .paginate(NameContains=prefix, PaginationConfig=LARGEST_PAGES)
    )
    listed = (group for page in pages for group in page["ModelPackageGroupSummaryList"])
    groups = {
        name.removeprefix(prefix).replace("-", "_"): (name, str(group["ModelPackageGroupArn"]))
        for group in listed
        if (name := str(group["ModelPackageGroupName"])).startswith(prefix)
    }
    if workload is None:
        return groups
    if not _WORKLOAD.fullmatch(workload) or workload not in groups:
        there_are = f"There are {', '.join(sorted(groups))}." if groups else "There is none yet."
        raise Refused(404, f"There is no workload of this name. {there_are}")
    return {workload: groups[workload]}


def _in_group(name: str, workload: str, last: tuple[datetime, str] | None) -> Iterator[Package]:
    """The group's approved packages that are older than the last one seen, newest first."""
    # SageMaker's filter knows only whole seconds.
    older: dict[str, Any] = {"CreationTimeBefore": last[0] + timedelta(seconds=1)} if last else {}
    packages = (
        Package(found["CreationTime"], found["ModelPackageArn"], workload, int(found["ModelPackageVersion"]))
        for found in approved_in(name, **older)
    )
    # SageMaker does not say in which order it lists those of the same moment.
    for _, same_age in itertools.groupby(packages, key=lambda package: package.created_at):
        for package in sorted(same_age, reverse=True):
            if last is None or (package.created_at, package.arn) < last:
                yield package


def _token_of(package: Package) -> str:
    micros = round(package.created_at.timestamp() * 1_000_000)
    return base64.urlsafe_b64encode(f"{micros} {package.arn}".encode()).decode()


def _read_token(token: str) -> tuple[datetime, str]:
    try:
        found = _TOKEN.fullmatch(base64.b64decode(token, altchars=b"-_", validate=True).decode("ascii"))
        if found:
            return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(found[1])), found[2]
    except (binascii.Error, ValueError, OverflowError):
        pass
    raise Refused(400, "This is not a page of the list: start again without `next`.")
