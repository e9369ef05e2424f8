"""Models, and the model registry: groups of versioned model packages."""

from __future__ import annotations

import hashlib
from typing import Any

from local.sagemaker.errors import ServiceError, invalid
from local.sagemaker.events import Events
from local.sagemaker.kinds import MODEL, PACKAGE, PACKAGE_GROUP, Json
from local.sagemaker.store import Record, Store
from local.sagemaker.tags import tags_of
from local.sagemaker.validation import service_model

# Members that an update copies unchanged; the names AWS uses in UpdatedModelPackageFields.
_UPDATED = (
    "ModelApprovalStatus",
    "ApprovalDescription",
    "ModelPackageRegistrationType",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)


class Registry:
    """The actions on models, model package groups and model packages."""

    def __init__(self, store: Store, events: Events) -> None:
        self._store = store
        self._events = events
        self._made_for_token: dict[str, str] = {}

    def create_model(self, request: Json) -> Json:
        """CreateModel. Names are unique; a container may come from an approved model package."""
        self.container(request)
        fields = {name: value for name, value in request.items() if name != "Tags"}
        record = self._store.add(MODEL, request["ModelName"], fields, tags_of(request))
        return {"ModelArn": record.arn}

    def delete_model(self, request: Json) -> Json:
        """DeleteModel."""
        self._store.remove(self._store.get(MODEL, request["ModelName"]))
        return {}

    def container(self, model: Json) -> Json:
        """A model's `Image`, `ModelDataUrl` and `Environment`, its own or those of its package."""
        container: Json = model.get("PrimaryContainer") or model["Containers"][0]
        if "ModelPackageName" not in container:
            return container
        package = self._store.get(PACKAGE, container["ModelPackageName"])
        status = package.fields.get("ModelApprovalStatus", "Approved")
        if status != "Approved":
            raise invalid(
                f"Cannot create a model from model package {package.arn}: its approval status is {status}."
            )
        ready: Json = package.fields["InferenceSpecification"]["Containers"][0]
        return ready | {"Environment": ready.get("Environment", {}) | container.get("Environment", {})}

    def create_group(self, request: Json) -> Json:
        """CreateModelPackageGroup."""
        fields = {name: value for name, value in request.items() if name != "Tags"}
        name = request["ModelPackageGroupName"]
        record = self._store.add(
            PACKAGE_GROUP, name, fields | {"ModelPackageGroupStatus": "Completed"}, tags_of(request)
        )
        return {"ModelPackageGroupArn": record.arn}

    def delete_group(self, request: Json) -> Json:
        """DeleteModelPackageGroup; refused while the group has versions."""
        with self._store.lock:
            group = self._store.get(PACKAGE_GROUP, request["ModelPackageGroupName"])
            if self._versions(group.key):
                raise ServiceError(
                    "ConflictException",
                    f"Model Package Group {group.arn} cannot be deleted because it still contains "
                    "model packages.",
                )
            self._store.remove(group)
        return {}

    def create_package(self, request: Json) -> Json:
        """CreateModelPackage. A package of a group gets the next version and is pending by default.

        A request with the `ClientToken` of an earlier one returns the package that the earlier one created.
        """
        fields = {name: value for name, value in request.items() if name not in ("Tags", "ClientToken")} | {
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        }
        if specification := request.get("InferenceSpecification"):
            fields["InferenceSpecification"] = _with_digests(specification)
        token = request.get("ClientToken", "")
        with self._store.lock:
            if arn := self._made_for_token.get(token):
                return {"ModelPackageArn": arn}
            if group_name := request.get("ModelPackageGroupName"):
                group = self._store.get(PACKAGE_GROUP, group_name)
                # A version number is never reused, even if its package was deleted.
                version = group.fields["LastVersion"] = group.fields.get("LastVersion", 0) + 1
                fields |= {"ModelPackageGroupName": group.key, "ModelPackageVersion": version}
                fields.setdefault("ModelApprovalStatus", "PendingManualApproval")
                key = f"{group.key}/{version}"
            else:
                key = request["ModelPackageName"]
            record = self._store.add(PACKAGE, key, fields, tags_of(request))
            if token:
                self._made_for_token[token] = record.arn
        self._events.tell(record)
        return {"ModelPackageArn": record.arn}

    def update_package(self, request: Json) -> Json:
        """UpdateModelPackage. Any approval status may follow any other; the event names what changed."""
        record = self._store.get(PACKAGE, request["ModelPackageArn"])
        if "ModelApprovalStatus" in request and "ModelPackageVersion" not in record.fields:
            raise invalid("ModelApprovalStatus is only supported for versioned model packages.")
        with self._store.lock:
            changes = {name: request[name] for name in _UPDATED if name in request}
            changes |= self._customer_metadata(record, request)
            changed = [name for name, value in changes.items() if record.fields.get(name) != value]
            self._store.update(record, changes)
        if changed:
            self._events.tell(record, changed)
        return {"ModelPackageArn": record.arn}

    def _customer_metadata(self, record: Record, request: Json) -> Json:
        removed = request.get("CustomerMetadataPropertiesToRemove", [])
        added = request.get("CustomerMetadataProperties", {})
        if not removed and not added:
            return {}
        left = dict(record.fields.get("CustomerMetadataProperties", {}))
        for key in removed:
            left.pop(key, None)
        return {"CustomerMetadataProperties": left | added}

    def delete_package(self, request: Json) -> Json:
        """DeleteModelPackage."""
        self._store.remove(self._store.get(PACKAGE, request["ModelPackageName"]))
        return {}

    def batch_describe(self, request: Json) -> Json:
        """BatchDescribeModelPackage: summaries of the packages found, errors for the others."""
        response: Any = service_model().shape_for("BatchDescribeModelPackageOutput")
        members = response.members["ModelPackageSummaries"].value.members
        summaries, errors = {}, {}
        for arn in request["ModelPackageArnList"]:
            record = self._store.find(PACKAGE, arn)
            if record is None:
                text = PACKAGE.missing[1].format(arn=arn)
                errors[arn] = {"ErrorCode": PACKAGE.missing[0], "ErrorResponse": text}
            else:
                summaries[arn] = {name: record.fields[name] for name in members if name in record.fields}
        return {"ModelPackageSummaries": summaries, "BatchDescribeModelPackageErrorMap": errors}

    def _versions(self, group_name: str) -> list[Record]:
        packages = self._store.all(PACKAGE)
        return [package for package in packages if package.fields.get("ModelPackageGroupName") == group_name]


def _with_digests(specification: Json) -> Json:
    """The specification with each image's digest, which SageMaker looks up; here derived from the URI."""
    containers = [
        container | {"ImageDigest": image_digest(container["Image"])}
        for container in specification["Containers"]
    ]
    return specification | {"Containers": containers}


def image_digest(uri: str) -> str:
    """What stands for an image's digest, which nobody here can look up."""
    return f"sha256:{hashlib.sha256(uri.encode()).hexdigest()}"
