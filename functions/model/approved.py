"""Lists approved model packages in SageMaker."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.aws import client

_READ_AT_ONCE = 100


def approved_in(group: str, **narrowed: Any) -> Iterator[Mapping[str, Any]]:
    """SageMaker's summaries of a group's approved packages, newest first; `narrowed` as by ListModelPackages.

    SageMaker applies a filter after it has read a page, so that an empty page may be followed by one with an
    approved package. A page is read only once the one before is used up.
    """
    pages = (
        client("sagemaker")
        .get_paginator("list_model_packages")
        .paginate(
            ModelPackageGroupName=group,
            ModelApprovalStatus="Approved",
            SortBy="CreationTime",
            SortOrder="Descending",
            PaginationConfig={"PageSize": _READ_AT_ONCE},
            **narrowed,
        )
    )
    return (package for page in pages for package in page["ModelPackageSummaryList"])
