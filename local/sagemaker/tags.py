"""Tags of resources, by ARN."""

from __future__ import annotations

from local.sagemaker.errors import ServiceError
from local.sagemaker.kinds import Json
from local.sagemaker.listing import paginate
from local.sagemaker.store import Record, Store


def tags_of(request: Json) -> dict[str, str]:
    """The tags in a Create request."""
    return {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}


class Tags:
    """AddTags, ListTags and DeleteTags."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, request: Json) -> Json:
        """Add tags, or change their values; returns all tags of the resource."""
        with self._store.lock:
            record = self._record(request)
            record.tags |= tags_of(request)
            return {"Tags": _as_list(record)}

    def list(self, request: Json) -> Json:
        """A page of a resource's tags."""
        with self._store.lock:
            tags = _as_list(self._record(request))
        page, token = paginate(tags, request, 50, lambda tag: str(tag["Key"]))
        return {"Tags": page} | ({"NextToken": token} if token else {})

    def delete(self, request: Json) -> Json:
        """Remove tags by key; unknown keys are ignored."""
        with self._store.lock:
            record = self._record(request)
            for key in request["TagKeys"]:
                record.tags.pop(key, None)
        return {}

    def _record(self, request: Json) -> Record:
        record = self._store.find_arn(request["ResourceArn"])
        if record is None:
            raise ServiceError("ValidationException", f"Could not find resource {request['ResourceArn']}.")
        return record


def _as_list(record: Record) -> list[Json]:
    return [{"Key": key, "Value": value} for key, value in record.tags.items()]
