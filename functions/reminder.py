"""The reminder to the approvers that their time is running out, once a request.

The link of the first mail cannot be sent again, since only its hash is kept. The reminder therefore carries a
new link, which takes the place of the first one: whoever answers the reminder need not search for an older
mail, and still there is only one link that decides. Somebody who has the older page open at that moment is
sent to the newest mail.

The mail goes out before its link becomes the live one. So whatever fails in between, some mailed link works,
and the next sweep reminds again.
"""

import os
from datetime import datetime

from approval_mail import reminder_mail
from approvals import Approval, announce_link, find, hash_link, make_live, new_link_id
from mails import send
from telemetry import count, logger
from told import tell_once


def is_due(approval: Approval, moment: datetime, hours_before: float) -> bool:
    """Whether it is time to remind: so many hours before the end, but never in the first half of the time."""
    asked = datetime.fromisoformat(approval.requested_at).timestamp()
    lead = min(hours_before * 3600, (approval.decide_before - asked) / 2)
    open_still = approval.decision is None and not approval.expired(moment) and not approval.reminded_at
    return open_still and moment.timestamp() >= approval.decide_before - lead


def remind(package_arn: str, moment: datetime, hours_before: float) -> bool:
    """Mail the reminder if it is due and was not mailed before. Returns whether it was mailed now."""
    approval = find(package_arn)
    if approval is None or not is_due(approval, moment, hours_before):
        return False
    request = f"{package_arn}#REMINDER#{approval.decide_before}"
    told = tell_once(request, lambda: _send(approval, moment))
    if told:
        count("ApproverReminded")
    return told


def _send(approval: Approval, moment: datetime) -> None:
    link_id = new_link_id()
    announce_link(approval, hash_link(link_id))
    mail = reminder_mail(approval, f"{os.environ['REVIEW_URL']}review/{link_id}", moment)
    send(mail, os.environ["APPROVAL_TOPIC_ARN"])
    live = make_live(approval, hash_link(link_id), moment)
    logger.info("approver reminded", model_package_arn=approval.package_arn, live=live)
