"""Requests for approval as items of the table."""

import json
from collections.abc import Mapping
from typing import Any

from approval.request import Approval, Decision

PENDING, APPROVED, REJECTED = "PENDING", "APPROVED", "REJECTED"


def status_of(decision: Decision) -> str:
    """The status of an item that carries the decision."""
    return APPROVED if decision.verdict == "approved" else REJECTED


def to_item(approval: Approval) -> dict[str, Any]:
    """The item that an attempt to ask stores."""
    return {
        "package_arn": approval.package_arn,
        "execution_arn": approval.execution_arn,
        "run_id": approval.run_id,
        "task_token": approval.task_token,
        "link_hash": approval.link_hash,
        "requested_at": approval.requested_at,
        "decide_before": approval.decide_before,
        # As text: boto3 refuses floats as DynamoDB's numbers.
        "facts": json.dumps(approval.facts),
    }


def from_item(item: Mapping[str, Any]) -> Approval:
    """The request that an item holds."""
    return Approval(
        package_arn=str(item["package_arn"]),
        execution_arn=str(item["execution_arn"]),
        run_id=str(item["run_id"]),
        task_token=str(item.get("task_token", "")),
        link_hash=str(item["link_hash"]),
        requested_at=str(item["requested_at"]),
        decide_before=int(item["decide_before"]),
        facts=json.loads(item["facts"]),
        decision=_decision(item) if item["status"] != PENDING else None,
        package_updated_at=str(item.get("package_updated_at", "")),
        resumed_at=str(item.get("resumed_at", "")),
        too_late_at=str(item.get("too_late_at", "")),
        reminded_at=str(item.get("reminded_at", "")),
        overruled=_kept_decision(item.get("overruled")),
        changed_to=_kept_decision(item.get("changed_to")),
    )


def _kept_decision(text: Any) -> Decision | None:
    return Decision(**json.loads(text)) if text else None


def _decision(item: Mapping[str, Any]) -> Decision:
    return Decision(
        verdict="approved" if item["status"] == APPROVED else "rejected",
        reviewer=str(item["reviewer"]),
        comment=str(item["comment"]),
        decided_at=str(item["decided_at"]),
        via=str(item["decided_via"]),
        address=str(item.get("decided_from_address", "")),
        browser=str(item.get("decided_with_browser", "")),
    )
