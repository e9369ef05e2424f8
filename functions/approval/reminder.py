"""The reminder to the approvers that their time is running out, once a request.

The table keeps only the hash of a link, so the first mail's link cannot be sent again. The reminder has a new
link, which replaces the first one: approvers need not search for an older mail, and only one link decides. A
person who has the older page open at that moment is referred to the newest mail.

The mail is sent before its link becomes the live one, so that some mailed link works at any moment. If a step
fails, the next sweep continues: it sends the mail if necessary, and makes the last mailed link the live one.
"""

import os
from datetime import datetime

from approval.mails import reminder_mail
from approval.records import announce_link, find, hash_link, make_live, new_link_id
from approval.request import Approval
from shared import once
from shared.mails import send
from shared.telemetry import count, logger


def is_due(approval: Approval, moment: datetime, hours_before: float) -> bool:
    """Whether it is time to remind: REMINDER_HOURS before the end, but not in the first half of the time."""
    asked = datetime.fromisoformat(approval.requested_at).timestamp()
    lead = min(hours_before * 3600, (approval.decide_before - asked) / 2)
    open_still = approval.decision is None and not approval.expired(moment) and not approval.reminded_at
    return open_still and moment.timestamp() >= approval.decide_before - lead


def remind(package_arn: str, moment: datetime, hours_before: float) -> bool:
    """Mail the reminder if it is due, once, and make its link the live one.

    Returns whether this call completed it.
    """
    approval = find(package_arn)
    if approval is None or not is_due(approval, moment, hours_before):
        return False
    request = f"{package_arn}#REMINDER#{approval.decide_before}"
    once.do(request, lambda: _send(approval, moment))
    reminded = make_live(approval, moment)
    if reminded:
        count("ApproverReminded")
    return reminded


def _send(approval: Approval, moment: datetime) -> None:
    link_id = new_link_id()
    if announce_link(approval, hash_link(link_id)):
        mail = reminder_mail(approval, f"{os.environ['REVIEW_URL']}review/{link_id}", moment)
        send(mail, os.environ["APPROVAL_TOPIC_ARN"])
        logger.info("approver reminded", model_package_arn=approval.package_arn)
