"""Reads and sets the approval status of a model package in SageMaker.

The package is the source of truth. UpdateModelPackage takes no condition, so a person may decide in SageMaker
between the page's last read of the package and its write. The package is therefore read before and after the
write, and again when the execution gets its answer (`resuming.py`). If its verdict differs from the record's,
the record is corrected (`agree`) and an alarm goes off.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from approval.records import decide_in_sagemaker, find, mark_package_updated, overrule
from approval.request import Approval, Decision, Verdict
from shared.aws import client
from shared.telemetry import count, logger
from shared.text import now, one_line, timestamp

_VERDICTS: dict[str, Verdict] = {"Approved": "approved", "Rejected": "rejected"}
_STATUSES = {"approved": "Approved", "rejected": "Rejected"}
_DESCRIPTION_LIMIT = 1024


@dataclass(frozen=True)
class PackageStatus:
    """The approval status of a package. `verdict` is None while it waits, `modified_by` "" if unknown."""

    verdict: Verdict | None
    modified_by: str
    modified_at: str
    description: str

    def decision(self) -> Decision | None:
        """The decision that was made on the package itself: in Studio, by the AWS CLI, by boto3."""
        if self.verdict is None:
            return None
        who = self.modified_by or "someone in SageMaker"
        return Decision(self.verdict, who, self.description, self.modified_at, via="SageMaker")


def verdict_of(status: str) -> Verdict | None:
    """`Approved` and `Rejected` are decisions; `PendingManualApproval` and anything new is none."""
    return _VERDICTS.get(status)


def read_status(package_arn: str) -> PackageStatus:
    """The package's current status."""
    package = client("sagemaker").describe_model_package(ModelPackageName=package_arn)
    return PackageStatus(
        verdict=verdict_of(str(package.get("ModelApprovalStatus", ""))),
        modified_by=_name_of(package.get("LastModifiedBy") or {}),
        modified_at=timestamp(package.get("LastModifiedTime") or now()),
        description=one_line(str(package.get("ApprovalDescription", "")), _DESCRIPTION_LIMIT),
    )


def evaluation_digest(package_arn: str) -> str:
    """Digest of the evaluation with which the pipeline registered the package; empty for others."""
    package = client("sagemaker").describe_model_package(ModelPackageName=package_arn)
    return str(package.get("CustomerMetadataProperties", {}).get("evaluation_digest", ""))


def write_decision(package_arn: str, decision: Decision) -> None:
    """Set the package's approval status. SageMaker then emits the event that resumes the pipeline."""
    client("sagemaker").update_model_package(
        ModelPackageArn=package_arn,
        ModelApprovalStatus=_STATUSES[decision.verdict],
        ApprovalDescription=describe(decision),
    )


def apply_to_package(approval: Approval, decision: Decision) -> None:
    """Set the package to the recorded decision, unless it is decided already, and note that they agree.

    Safe to repeat until it succeeds.
    """
    if read_status(approval.package_arn).verdict is None:
        write_decision(approval.package_arn, decision)
    on_package = read_status(approval.package_arn).decision()
    # A read may not show the write yet; that does not contradict it.
    if on_package is None or on_package.verdict == decision.verdict:
        mark_package_updated(approval.package_arn, now())
    else:
        agree(approval, on_package)


def agree(approval: Approval, on_package: Decision) -> Approval:
    """The request with its package's decision, which is recorded if the record has none or another one."""
    if approval.decision is None:
        decide_in_sagemaker(approval.package_arn, on_package)
        # Read again: a reviewer may have decided a moment earlier.
        approval = find(approval.package_arn) or approval
    if approval.decision is None or approval.decision.verdict == on_package.verdict:
        return approval
    if overrule(approval, on_package):
        logger.error("record contradicted the package", model_package_arn=approval.package_arn)
        count("ApprovalContradicted")
    return find(approval.package_arn) or approval


def describe(decision: Decision) -> str:
    """The decision in the one line that SageMaker allows; the table keeps the comment whole."""
    line = f"{decision.verdict.capitalize()} by {decision.reviewer} at {decision.decided_at}"
    return one_line(f"{line}: {decision.comment}" if decision.comment else line, _DESCRIPTION_LIMIT)


def _name_of(user: Mapping[str, Any]) -> str:
    """A Studio user profile, or else the end of an IAM identity such as `.../assumed-role/Admin/ada`."""
    profile = str(user.get("UserProfileName") or "")
    identity = str((user.get("IamIdentity") or {}).get("Arn") or "")
    return one_line(profile or identity.rpartition("/")[2], 100)
