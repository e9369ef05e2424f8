"""Takes a decision from the review page: records it once, then applies it to the model package.

The package's status prevails over the record.
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
    """Whether the package's file is missing or differs from the one that was evaluated."""
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
    """The same, but the record's decision while SageMaker does not answer."""
    try:
        return standing_decision(approval)
    except _AWS_ERRORS as error:
        logger.warning(
            "package not readable", model_package_arn=approval.package_arn, **describe_error(error)
        )
        return approval.standing


def record(approval: Approval, link_hash: str, decision: Decision) -> bool:
    """Record the decision, unless there is one already, the link was replaced or the request expired."""
    if not decide_by_link(approval, link_hash, decision, now()):
        return False
    logger.info("decided", model_package_arn=approval.package_arn, verdict=decision.verdict)
    count("DecisionRecorded")
    return True


def finish(approval: Approval) -> None:
    """Apply the recorded decision to the package. If that fails, the page and the sweep try again."""
    if approval.decision is None:
        return
    try:
        apply_to_package(approval, approval.decision)
    except _AWS_ERRORS as error:
        count("DecisionNotOnPackage")
        logger.error("package not updated", model_package_arn=approval.package_arn, **describe_error(error))
