"""The List actions: filters, order and pages. The members of a summary come from botocore's model."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from local.sagemaker.errors import invalid
from local.sagemaker.kinds import (
    ENDPOINT,
    ENDPOINT_CONFIG,
    MODEL,
    PACKAGE,
    PACKAGE_GROUP,
    PROCESSING,
    TRAINING,
    TRANSFORM,
    TUNING,
    Json,
    Kind,
)
from local.sagemaker.store import Record
from local.sagemaker.validation import output_members

Item = TypeVar("Item")

# AWS's default; ListTags alone has 50.
PAGE = 10

# Action -> kind, default of SortBy, default of SortOrder.
LISTS: dict[str, tuple[Kind, str, str]] = {
    "ListProcessingJobs": (PROCESSING, "CreationTime", "Ascending"),
    "ListTrainingJobs": (TRAINING, "CreationTime", "Ascending"),
    "ListHyperParameterTuningJobs": (TUNING, "Name", "Ascending"),
    "ListTrainingJobsForHyperParameterTuningJob": (TRAINING, "Name", "Ascending"),
    "ListTransformJobs": (TRANSFORM, "CreationTime", "Descending"),
    "ListModels": (MODEL, "CreationTime", "Descending"),
    "ListEndpointConfigs": (ENDPOINT_CONFIG, "CreationTime", "Descending"),
    "ListEndpoints": (ENDPOINT, "CreationTime", "Descending"),
    "ListModelPackageGroups": (PACKAGE_GROUP, "CreationTime", "Ascending"),
    "ListModelPackages": (PACKAGE, "CreationTime", "Ascending"),
}

_TIMES = {
    "CreationTimeAfter": ("CreationTime", 1),
    "CreationTimeBefore": ("CreationTime", -1),
    "LastModifiedTimeAfter": ("LastModifiedTime", 1),
    "LastModifiedTimeBefore": ("LastModifiedTime", -1),
}


def list_page(action: str, records: Iterable[Record], request: Json) -> Json:
    """The response of a List action over all resources of its kind.

    As in SageMaker, a page is taken first and filtered afterwards. It can be short or empty although its
    NextToken leads to more (https://github.com/boto/boto3/issues/2521).
    """
    kind, sort_by, order = LISTS[action]
    listed = [record for record in records if _belongs(record, request)]
    sort_by = request.get("SortBy", sort_by)
    if sort_by == "FinalObjectiveMetricValue":
        listed = [
            record for record in listed if "FinalHyperParameterTuningJobObjectiveMetric" in record.fields
        ]
    listed.sort(key=_position(kind, sort_by), reverse=request.get("SortOrder", order) == "Descending")
    list_name = next(name for name in output_members(action) if name != "NextToken")
    summary: Any = output_members(action)[list_name]
    names = summary.member.members
    page, token = paginate(listed, request, PAGE, lambda record: record.arn)
    summaries = [
        {name: record.fields[name] for name in names if name in record.fields}
        for record in page
        if _matches(record, request)
    ]
    return {list_name: summaries} | ({"NextToken": token} if token else {})


def paginate(
    items: list[Item], request: Json, size: int, identity: Callable[[Item], str]
) -> tuple[list[Item], str | None]:
    """The page for a request's NextToken and MaxResults, and the token of the next page."""
    start = 0
    if token := request.get("NextToken"):
        last, number = _read_token(token)
        ids = [identity(item) for item in items]
        # The last item of the previous page may be gone; then its position is the best guess.
        start = ids.index(last) + 1 if last in ids else number
    end = start + int(request.get("MaxResults", size))
    if end >= len(items):
        return items[start:], None
    body = json.dumps([identity(items[end - 1]), end - 1])
    return items[start:end], base64.urlsafe_b64encode(body.encode()).decode()


def _read_token(token: str) -> tuple[str, int]:
    try:
        last, number = json.loads(base64.urlsafe_b64decode(token))
        return str(last), int(number)
    except ValueError:
        raise invalid("Invalid pagination token.") from None


def _belongs(record: Record, request: Json) -> bool:
    """Whether a resource belongs to the listed tuning job, group or type."""
    fields = record.fields
    if tuning_job := request.get("HyperParameterTuningJobName"):
        return bool(fields.get("TuningJobName") == tuning_job)
    return record.kind is not PACKAGE or _is_of_type(fields, request)


def _is_of_type(fields: Json, request: Json) -> bool:
    group = request.get("ModelPackageGroupName")
    if group is not None:
        return bool(fields.get("ModelPackageGroupName") == group.rpartition("/")[2])
    wanted = request.get("ModelPackageType", "Unversioned")
    return bool(wanted == "Both" or (wanted == "Versioned") == ("ModelPackageVersion" in fields))


def _matches(record: Record, request: Json) -> bool:
    fields = record.fields
    if "NameContains" in request and request["NameContains"].lower() not in record.name.lower():
        return False
    if "StatusEquals" in request and record.status != request["StatusEquals"]:
        return False
    approval = request.get("ModelApprovalStatus")
    if approval and fields.get("ModelApprovalStatus") != approval:
        return False
    return all(
        sign * (fields[field] - request[name]) > 0
        for name, (field, sign) in _TIMES.items()
        if name in request
    )


def _position(kind: Kind, sort_by: str) -> Callable[[Record], Any]:
    if sort_by == "Status":
        return lambda record: (record.status, record.name)
    if sort_by == "CreationTime":
        return lambda record: (record.fields["CreationTime"], record.fields.get("ModelPackageVersion", 0))
    if sort_by == "FinalObjectiveMetricValue":
        return lambda record: record.fields["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    return lambda record: (
        record.name,
        record.fields.get("ModelPackageVersion", 0),
    )
