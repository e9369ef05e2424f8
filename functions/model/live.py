"""What is live, and what became of each release, as the state machine of releases records it.

live#<workload>                the model that answers, with the one before as `previous`
release#<model package ARN>    the last release of a package, and its status
releasing#<workload>           the execution whose turn it is (only the state machine uses it)
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.aws import table


@dataclass(frozen=True)
class SmokeTestResult:
    """How the endpoint answered the evaluation's rows."""

    rows: int
    largest_difference: float
    milliseconds: float


@dataclass(frozen=True)
class LiveModel:
    """The model that answers for a workload. `seconds` passed from the approval until it was in service."""

    workload: str
    package_arn: str
    version: int
    endpoint_type: str
    endpoint_name: str
    config_name: str
    model_name: str
    since: str
    execution_arn: str
    run_id: str = ""
    evaluation_digest: str = ""
    seconds: float = 0.0
    smoke_test: SmokeTestResult | None = None


@dataclass(frozen=True)
class ReleaseRecord:
    """The last release of a package. `reason` is for people."""

    package_arn: str
    workload: str
    version: int
    status: str
    execution_arn: str
    reason: str


def find_live(workload: str) -> LiveModel | None:
    """What is live for a workload."""
    item = _item(f"live#{workload}")
    return _live(item) if item else None


def find_release(package_arn: str) -> ReleaseRecord | None:
    """The last release of a package."""
    item = _item(f"release#{package_arn}")
    if not item:
        return None
    return ReleaseRecord(
        package_arn=package_arn,
        workload=str(item["workload"]),
        version=int(item["version"]),
        status=str(item["status"]),
        execution_arn=str(item["execution_arn"]),
        reason=str(item.get("reason", "")),
    )


def _live(item: Mapping[str, Any]) -> LiveModel:
    tested = item.get("smoke_test")
    return LiveModel(
        workload=str(item["workload"]),
        package_arn=str(item["package_arn"]),
        version=int(item["version"]),
        endpoint_type=str(item["endpoint_type"]),
        endpoint_name=str(item["endpoint_name"]),
        config_name=str(item.get("config_name", "")),
        model_name=str(item.get("model_name", "")),
        since=str(item["since"]),
        execution_arn=str(item["execution_arn"]),
        run_id=str(item.get("run_id", "")),
        evaluation_digest=str(item.get("evaluation_digest", "")),
        seconds=float(item.get("seconds", 0)),
        smoke_test=SmokeTestResult(
            int(tested["rows"]), float(tested["largest_difference"]), float(tested["milliseconds"])
        )
        if tested
        else None,
    )


def _item(pk: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _table().get_item(Key={"pk": pk}, ConsistentRead=True).get("Item") or {}
    return found


def _table() -> Any:
    return table(os.environ["TABLE_NAME"])
