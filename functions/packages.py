"""The model package in SageMaker: what it says about its approval, and how to set it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from approvals import Approval, Decision, Verdict, mark_package_updated
from aws import client
from text import now, one_line, timestamp

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
    """What SageMaker says about the package now."""
    package = client("sagemaker").describe_model_package(ModelPackageName=package_arn)
    return PackageStatus(
        verdict=verdict_of(str(package.get("ModelApprovalStatus", ""))),
        modified_by=_name_of(package.get("LastModifiedBy") or {}),
        modified_at=timestamp(package.get("LastModifiedTime") or now()),
        description=one_line(str(package.get("ApprovalDescription", "")), _DESCRIPTION_LIMIT),
    )


def write_decision(package_arn: str, decision: Decision) -> None:
    """Set the package's approval status. SageMaker then emits the event that resumes the pipeline."""
    client("sagemaker").update_model_package(
        ModelPackageArn=package_arn,
        ModelApprovalStatus=_STATUSES[decision.verdict],
        ApprovalDescription=describe(decision),
    )


def bring_decision(approval: Approval, decision: Decision) -> None:
    """Set the package as its record says, unless it is decided already, and note that it is so.

    Can be repeated until it succeeds.
    """
    if read_status(approval.package_arn).verdict is None:
        write_decision(approval.package_arn, decision)
    mark_package_updated(approval.package_arn, now())


def describe(decision: Decision) -> str:
    """The decision in the one line that SageMaker allows; the table keeps the comment whole."""
    line = f"{decision.verdict.capitalize()} by {decision.reviewer} at {decision.decided_at}"
    return one_line(f"{line}: {decision.comment}" if decision.comment else line, _DESCRIPTION_LIMIT)


def _name_of(user: Mapping[str, Any]) -> str:
    """A Studio user profile, or else the end of an IAM identity such as `.../assumed-role/Admin/ada`."""
    profile = str(user.get("UserProfileName") or "")
    identity = str((user.get("IamIdentity") or {}).get("Arn") or "")
    return one_line(profile or identity.rpartition("/")[2], 100)
