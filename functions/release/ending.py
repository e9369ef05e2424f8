"""How an execution of the state machine of releases ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runs.causes import json_object, readable_cause

# The machine's own last word on a release that failed. It has set the endpoint back and freed the workload.
_FAILED = "ReleaseFailed"


@dataclass(frozen=True)
class ReleaseEnd:
    """The end of a release. `outcome` is the machine's own, or "stopped" if it could not say one."""

    execution_arn: str
    identity: str
    package_arn: str
    outcome: str
    reason: str
    endpoint_type: str
    warnings: tuple[str, ...]

    @property
    def needs_help(self) -> bool:
        """Whether the execution ended before it could finish or undo what it did."""
        return self.outcome == "stopped"


def read_end(described: Mapping[str, Any]) -> ReleaseEnd:
    """Read the answer of DescribeExecution."""
    arn, status = str(described["executionArn"]), str(described["status"])
    output = json_object(described.get("output"))
    outcome = str(output.get("outcome") or "stopped")
    if status == "FAILED" and described.get("error") == _FAILED:
        outcome = "failed"
    return ReleaseEnd(
        execution_arn=arn,
        identity=f"{arn}#{status}#{int(described.get('redriveCount') or 0)}",
        package_arn=_package(json_object(described.get("input"))),
        outcome=outcome,
        reason=str(output.get("why") or "") or _reason(described, status),
        endpoint_type=str(output.get("endpoint_type") or ""),
        warnings=tuple(map(str, output.get("warnings") or ())),
    )


def _reason(described: Mapping[str, Any], status: str) -> str:
    if status == "ABORTED":
        return "Somebody stopped the release."
    if status == "TIMED_OUT":
        return "The release took longer than a release may."
    return readable_cause(str(described.get("cause") or ""))


def _package(execution_input: Mapping[str, Any]) -> str:
    detail = execution_input.get("detail")
    return str(detail.get("ModelPackageArn") or "") if isinstance(detail, Mapping) else ""
