"""The sweep over requests for approval: passes on decisions whose event was lost, reminds, measures."""

import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from botocore.exceptions import ClientError

from approval.outcomes import mail_too_late, resume
from approval.packages import apply_to_package
from approval.reminder import remind
from approval.request import Approval
from shared.aws import error_code
from shared.chores import Chores
from shared.telemetry import logger, measure

# A package may be decided in SageMaker after its request has expired; the sweep reads it for this long.
_LATE_DECISIONS = timedelta(days=90)
_PACKAGE_IS_GONE = {"ValidationException", "ResourceNotFound"}


def hand_on_decisions(
    chores: Chores, requests: Iterable[Approval], moment: datetime, news: timedelta
) -> None:
    """Apply recorded decisions to their packages, and pass packages' decisions to their executions.

    Mails a late decision while it is still `news`.
    """
    for approval in requests:
        if _may_have_been_decided(approval, moment, news):
            chores.do("decision", partial(_hand_on, approval), approval.package_arn)


def remind_approvers(
    chores: Chores, requests: Iterable[Approval], running: set[str], moment: datetime
) -> None:
    """Remind approvers of requests for which executions wait; measure how long they have waited."""
    hours_before = float(os.environ["REMINDER_HOURS"])
    waited, used = [0.0], [0.0]
    for approval in requests:
        if approval.decision or approval.expired(moment) or approval.execution_arn not in running:
            continue
        asked = datetime.fromisoformat(approval.requested_at).timestamp()
        waited.append((moment.timestamp() - asked) / 3600)
        used.append(100 * (moment.timestamp() - asked) / (approval.decide_before - asked))
        arn = approval.package_arn
        chores.do("reminder", partial(remind, arn, moment, hours_before), arn)
    measure("ApprovalWaitingHours", max(waited))
    # The same relative to the time limit, so that one alarm fits every ApprovalTimeoutDays.
    measure("ApprovalTimeUsedPercent", max(used))


def _may_have_been_decided(approval: Approval, moment: datetime, news: timedelta) -> bool:
    if approval.too_late_at:
        return datetime.fromisoformat(approval.too_late_at) >= moment - news
    return bool(approval.decision) or approval.decide_before >= (moment - _LATE_DECISIONS).timestamp()


def _hand_on(approval: Approval) -> bool:
    if approval.too_late_at and mail_too_late(approval):
        return True
    try:
        if approval.decision and not approval.package_updated_at and not approval.resumed_at:
            apply_to_package(approval, approval.decision)
        settled = resume(approval.package_arn)
        return settled in ("resumed", "changed") or (settled == "too late" and not approval.too_late_at)
    except ClientError as error:
        if error_code(error) in _PACKAGE_IS_GONE:
            logger.warning("the model package was deleted", model_package_arn=approval.package_arn)
            return False
        raise
