"""Models, their transform jobs and their packages."""

from __future__ import annotations

import re

from local.sagemaker.errors import invalid, unsupported
from local.sagemaker.kinds import Json
from local.sagemaker.records import BadFilter, column_filter, is_json
from local.sagemaker.rules.common import (
    image_of,
    instances,
    refuse,
    role_is_of_this_account,
)
from local.sagemaker.store import Store


def transform_rules(request: Json, store: Store) -> None:
    """CreateTransformJob."""
    source, output = request["TransformInput"], request["TransformOutput"]
    instances(request["TransformResources"])
    megabytes = request.get("MaxPayloadInMB", 6) * request.get("MaxConcurrentTransforms", 1)
    refuse(
        megabytes > 100,
        invalid("The value of MaxConcurrentTransforms * MaxPayloadInMB must not exceed 100 MB."),
    )
    processing = request.get("DataProcessing", {})
    filters = [
        processing[name] for name in ("InputFilter", "OutputFilter") if processing.get(name, "$") != "$"
    ]
    joined = processing.get("JoinSource", "None") == "Input"
    if not filters and not joined:
        return
    whole = source.get("SplitType", "None") != "Line" or output.get("AssembleWith", "None") != "Line"
    refuse(whole, invalid("DataProcessing requires SplitType Line and AssembleWith Line."))
    content, accept = source.get("ContentType", ""), output.get("Accept", "")
    refuse(
        joined and content != accept,
        invalid("JoinSource Input requires ContentType and Accept to be the same."),
    )
    refuse(filters and is_json(content), unsupported(f"A filter of '{content}' is"))
    known = is_json(content) or re.match(r"text/csv\b", content)
    refuse(not known, unsupported(f"DataProcessing of '{content}' is"))
    for path in filters:
        try:
            column_filter(path)
        except BadFilter as error:
            raise invalid(str(error)) from None


def model_rules(request: Json, store: Store) -> None:
    """CreateModel."""
    containers = (
        [request["PrimaryContainer"]] if "PrimaryContainer" in request else request.get("Containers", [])
    )
    refuse(not containers, invalid("One of PrimaryContainer and Containers is required."))
    refuse(len(containers) > 1, unsupported("A model with more than one container is"))
    container = containers[0]
    role = request.get("ExecutionRoleArn")
    refuse(role is None, invalid("ExecutionRoleArn is required."))
    role_is_of_this_account({"RoleArn": role}, store)
    if "ModelPackageName" not in container:
        refuse("Image" not in container, invalid("A container requires Image or ModelPackageName."))
        _serving(container["Image"], store)


def package_rules(request: Json, store: Store) -> None:
    """CreateModelPackage."""
    group, name = request.get("ModelPackageGroupName"), request.get("ModelPackageName")
    text = (
        "Both ModelPackageName and ModelPackageGroupName are provided in the input. "
        "Cannot determine which one to use."
    )
    refuse(group and name, invalid(text))
    refuse(not group and not name, invalid("Missing ARN."))
    containers = request.get("InferenceSpecification", {}).get("Containers", [])
    refuse(len(containers) > 1, unsupported("A model package with more than one container is"))
    for container in containers:
        refuse("Image" not in container, invalid("A container requires Image."))
        _serving(container["Image"], store)
    text = "ModelApprovalStatus is only supported for versioned model packages."
    refuse(name and "ModelApprovalStatus" in request, invalid(text))


def _serving(uri: str, store: Store) -> None:
    image = image_of(uri, store)
    refuse(image.server is None, unsupported(f"Serving a model with the image {image.repository} is"))
