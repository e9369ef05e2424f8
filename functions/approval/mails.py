"""The mails about a decision: the request, the reminder, and notices of late and changed decisions."""

from datetime import datetime

from approval.request import Approval, Decision
from model.change import endpoint_change
from model.live import find_live
from shared.commands import report_command
from shared.mails import Mail, render


def request_mail(approval: Approval, link: str) -> Mail:
    """The request to the approvers. Only this mail contains the link."""
    report = approval.report
    endpoint = endpoint_change(report.evaluation)
    return render(
        "approval/request",
        approval=approval,
        report=report,
        endpoint=endpoint,
        link=link,
        report_command=report_command(approval.run_id),
    )


def reminder_mail(approval: Approval, link: str, moment: datetime) -> Mail:
    """The reminder to the approvers, with a new link."""
    return render(
        "approval/reminder",
        approval=approval,
        report=approval.report,
        link=link,
        left=time_left(approval.decide_before - moment.timestamp()),
    )


def too_late_mail(approval: Approval) -> Mail:
    """Reports a valid decision that was made after the run's end."""
    return render("approval/too_late", approval=approval, decision=approval.decision)


def change_mail(approval: Approval, before: Decision, now: Decision) -> Mail:
    """Reports the package's new decision and the one that earlier mails reported."""
    live = find_live(approval.report.evaluation.workload)
    return render("approval/changed", approval=approval, before=before, now=now, live=live)


def time_left(seconds: float) -> str:
    """`3 days`, `23 hours`, `45 minutes`: rounded down, in the largest unit that gives at least two."""
    minutes = max(int(seconds // 60), 1)
    if minutes >= 2 * 24 * 60:
        return f"{minutes // (24 * 60)} days"
    if minutes >= 2 * 60:
        return f"{minutes // 60} hours"
    return f"{minutes} minutes" if minutes > 1 else "1 minute"
