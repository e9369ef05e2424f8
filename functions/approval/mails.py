"""The mails about a decision: it is asked for, time is running out, it came too late, it was changed."""

from datetime import datetime

from approval.request import Approval, Decision
from shared.mails import Mail, render


def request_mail(approval: Approval, link: str) -> Mail:
    """What the approvers' topic gets. The link is nowhere but in this mail."""
    return render("approval/request", approval=approval, report=approval.report, link=link)


def reminder_mail(approval: Approval, link: str, moment: datetime) -> Mail:
    """What the approvers' topic gets when the time to decide is running out. The link is a new one."""
    return render(
        "approval/reminder",
        approval=approval,
        report=approval.report,
        link=link,
        left=time_left(approval.decide_before - moment.timestamp()),
    )


def too_late_mail(approval: Approval) -> Mail:
    """Says what was decided, that it counts, and that the run had ended."""
    return render("approval/too_late", approval=approval, decision=approval.decision)


def change_mail(approval: Approval, before: Decision, now: Decision) -> Mail:
    """Says what the package says now, and what the mails said before."""
    return render("approval/changed", approval=approval, before=before, now=now)


def time_left(seconds: float) -> str:
    """`3 days`, `23 hours`, `45 minutes`: rounded down, in the largest unit of which there are two."""
    minutes = max(int(seconds // 60), 1)
    if minutes >= 2 * 24 * 60:
        return f"{minutes // (24 * 60)} days"
    if minutes >= 2 * 60:
        return f"{minutes // 60} hours"
    return f"{minutes} minutes" if minutes > 1 else "1 minute"
