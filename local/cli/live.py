"""What is live and what became of each release, as the release machine notes it in the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.cli.endpoint import Endpoint


@dataclass(frozen=True)
class Live:
    """The model that answers for a workload. `seconds` passed from the approval until it was in service."""

    workload: str
    package_arn: str
    version: int
    endpoint_type: str
    endpoint_name: str
    since: str
    seconds: float | None
    smoke_test: Mapping[str, float] | None
    previous_arn: str | None


@dataclass(frozen=True)
class ReleaseRecord:
    """The last release of a package. `reason` is a line for people."""

    status: str
    execution_arn: str
    reason: str


def read_live(endpoint: Endpoint, table: str, workload: str) -> Live | None:
    """The workload's live model; None if there is none."""
    item = _item(endpoint, table, f"live#{workload}")
    if not item:
        return None
    previous = item.get("previous") or {}
    return Live(
        workload=workload,
        package_arn=str(item["package_arn"]),
        version=int(item["version"]),
        endpoint_type=str(item["endpoint_type"]),
        endpoint_name=str(item["endpoint_name"]),
        since=str(item["since"]),
        seconds=float(item["seconds"]) if item.get("seconds") is not None else None,
        smoke_test={name: float(value) for name, value in (item.get("smoke_test") or {}).items()} or None,
        previous_arn=str(previous["package_arn"]) if previous.get("package_arn") else None,
    )


def read_release(endpoint: Endpoint, table: str, package_arn: str) -> ReleaseRecord | None:
    """The last release of a package; None before the first one has begun."""
    item = _item(endpoint, table, f"release#{package_arn}")
    if not item:
        return None
    status, arn, reason = (str(item.get(name, "")) for name in ("status", "execution_arn", "reason"))
    return ReleaseRecord(status, arn, reason)


def _item(endpoint: Endpoint, table: str, key: str) -> dict[str, Any]:
    from boto3.dynamodb.types import TypeDeserializer

    client = endpoint.client("dynamodb")
    found = client.get_item(TableName=table, Key={"pk": {"S": key}}, ConsistentRead=True).get("Item", {})
    plain = TypeDeserializer().deserialize
    return {name: plain(value) for name, value in found.items()}
