"""A decision from the review page: it is recorded once, then applied to the model package.

What the package says stands, whatever the record does.
"""

import os

from botocore.exceptions import BotoCoreError, ClientError

from approval.packages import apply_to_package, read_status
from approval.records import decide_by_link, find
from approval.request import Approval, Decision
from model.artifacts import stored_digest
from shared.telemetry import count, describe_error, logger
from shared.text import now

_AWS_ERRORS = (ClientError, BotoCoreError)


def model_was_changed(approval: Approval) -> bool:
    """Whether the package's file is gone, or another one than the evaluation was about."""
    evaluated = approval.report.evaluation.digests.get("model")
    changed = stored_digest(os.environ["BUCKET_NAME"], f"models/{approval.run_id}/model.tar.gz") != evaluated
    if changed:
        logger.error("model was changed", model_package_arn=approval.package_arn)
        count("ChangedModelNotApproved")
    return changed


def standing_decision(approval: Approval) -> Decision | None:
    """What the package says, in the record's words if that says the same: by now it may have the decision."""
    on_package = read_status(approval.package_arn).decision()
    if on_package is None:
        return approval.standing
    recorded = approval.standing or (find(approval.package_arn) or approval).standing
    return recorded if recorded and recorded.verdict == on_package.verdict else on_package


def standing_if_readable(approval: Approval) -> Decision | None:
    """The same, or what the record says while SageMaker does not answer."""
    try:
        return standing_decision(approval)
    except _AWS_ERRORS as error:
        logger.warning(
            "package not readable", model_package_arn=approval.package_arn, **describe_error(error)
        )
        return approval.standing


def record(approval: Approval, link_hash: str, decision: Decision) -> bool:
    """Record the decision, unless somebody was faster, the link is not the live one or the time is over."""
    if not decide_by_link(approval, link_hash, decision, now()):
        return False
    logger.info("decided", model_package_arn=approval.package_arn, verdict=decision.verdict)
    count("DecisionRecorded")
    return True


def finish(approval: Approval) -> None:
    """Apply the recorded decision to the package. Should that fail, page and sweep try again."""
    if approval.decision is None:
        return
    try:
        apply_to_package(approval, approval.decision)
    except _AWS_ERRORS as error:
        count("DecisionNotOnPackage")
        logger.error("package not updated", model_package_arn=approval.package_arn, **describe_error(error))
