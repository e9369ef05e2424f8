"""Acts on a decision: resumes the execution, or mails that the decision came too late or was changed."""

import os
from datetime import datetime

from approval.mails import change_mail, too_late_mail
from approval.packages import read_status
from approval.records import find, record_change
from approval.request import Approval
from approval.resuming import Settled, settle
from shared import once
from shared.mails import send
from shared.telemetry import count, measure


def resume(package_arn: str) -> Settled:
    """Pass on the decision about a package (see `settle`), measure its time, and mail if it came late."""
    settled = settle(package_arn)
    approval = find(package_arn) if settled in ("resumed", "too late", "changed") else None
    if approval and settled == "resumed":
        count("PipelineResumed")
        _measure_time_to_decision(approval)
    if approval and settled == "too late":
        mail_too_late(approval)
    if approval and settled == "changed":
        _mail_change(approval)
    return settled


def mail_too_late(approval: Approval) -> bool:
    """Mail once that a package was decided after its execution's end. Returns whether this call mailed it."""
    mail, topic = too_late_mail(approval), os.environ["NOTIFICATION_TOPIC_ARN"]
    mailed = once.do(f"{approval.execution_arn}#LATE", lambda: send(mail, topic))
    if mailed:
        count("DecisionTooLate")
    return mailed


def _mail_change(approval: Approval) -> None:
    """Mail once, and note, that a package was changed after its execution had its answer."""
    changed = read_status(approval.package_arn).decision()
    if changed is None or approval.standing is None:
        return
    mail, topic = change_mail(approval, approval.standing, changed), os.environ["NOTIFICATION_TOPIC_ARN"]
    once.do(f"{approval.package_arn}#{changed.verdict}#{changed.decided_at}", lambda: send(mail, topic))
    record_change(approval, changed)


def _measure_time_to_decision(approval: Approval) -> None:
    """Skips a decision older than the request, which a redrive has repeated."""
    if approval.decision is None:
        return
    asked, decided = map(datetime.fromisoformat, (approval.requested_at, approval.decision.decided_at))
    if decided >= asked:
        measure("TimeToDecisionHours", (decided - asked).total_seconds() / 3600)
