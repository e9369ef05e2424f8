"""Which members of a request have an effect here, as data in the shape of the requests.

A member that is not in these tables, such as one from a newer botocore, is refused like one that is
marked as unsupported. No member can be accepted without an effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local.sagemaker.errors import unsupported
from local.sagemaker.kinds import Json
from local.sagemaker.members import endpoints, jobs, models, training
from local.sagemaker.members.marks import REFUSED, TAGS, WORKS, Mark, Members, Only, only

_CHANGES: Mapping[str, Members] = {
    "CreateProcessingJob": jobs.PROCESSING_JOB,
    "CreateTrainingJob": training.TRAINING_JOB,
    "CreateHyperParameterTuningJob": training.TUNING_JOB,
    "CreateTransformJob": jobs.TRANSFORM_JOB,
    "CreateModel": models.MODEL,
    "CreateModelPackageGroup": models.PACKAGE_GROUP,
    "CreateModelPackage": models.PACKAGE,
    "UpdateModelPackage": models.PACKAGE_UPDATE,
    "CreateEndpointConfig": endpoints.CONFIG,
    "CreateEndpoint": endpoints.ENDPOINT,
    "UpdateEndpoint": endpoints.UPDATE,
    "UpdateEndpointWeightsAndCapacities": endpoints.WEIGHTS,
}
# The members of the actions that name, list, stop or tag something; each has the same meaning in all of them.
_OTHERS: Members = dict.fromkeys(
    (
        "EndpointConfigName",
        "EndpointName",
        "HyperParameterTuningJobName",
        "ModelName",
        "ModelPackageArnList",
        "ModelPackageGroupName",
        "ModelPackageName",
        "ProcessingJobName",
        "ResourceArn",
        "TagKeys",
        "TrainingJobName",
        "TransformJobName",
        *("MaxResults", "NextToken", "SortBy", "SortOrder"),
        *("CreationTimeAfter", "CreationTimeBefore", "LastModifiedTimeAfter", "LastModifiedTimeBefore"),
        *("NameContains", "StatusEquals", "ModelApprovalStatus", "ModelPackageType"),
    ),
    WORKS,
) | {
    "Tags": TAGS,
    "CrossAccountFilterOption": only("SameAccount"),
    "IncludedData": only("AllData"),
    "TrainingPlanArnEquals": REFUSED,
    "WarmPoolStatusEquals": REFUSED,
}


def members_of(action: str) -> Members:
    """The table of a supported action."""
    return _CHANGES.get(action, _OTHERS)


def refuse_unsupported(action: str, request: Json) -> None:
    """Raise `ServiceError` for the first member of a validly shaped request that would have no effect."""
    _check(members_of(action), request, "")


def _check(known: Mark | Only | Members, value: Any, path: str) -> None:
    if isinstance(value, list):
        for item in value:
            _check(known, item, path)
    elif isinstance(known, Only):
        if value not in known.values:
            raise unsupported(f"{path} {_json(value)} is")
    elif known is REFUSED:
        raise unsupported(f"{path} is")
    elif isinstance(known, Mapping):
        for name, item in value.items():
            _check(known.get(name, REFUSED), item, f"{path}.{name}" if path else name)


def _json(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
