"""The reminder to the approvers that their time is running out, once a request.

The link of the first mail cannot be sent again, since only its hash is kept. The reminder therefore carries a
new link, which takes the place of the first one: whoever answers the reminder need not search for an older
mail, and still there is only one link that decides. Somebody who has the older page open at that moment is
sent to the newest mail.

The mail goes out before its link becomes the live one, so that at any moment some mailed link works. What
fails in between is left to the next sweep: it sends the mail if that was not done, and makes the link live
that was mailed last.
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
    """Whether it is time to remind: so many hours before the end, but never in the first half of the time."""
    asked = datetime.fromisoformat(approval.requested_at).timestamp()
    lead = min(hours_before * 3600, (approval.decide_before - asked) / 2)
    open_still = approval.decision is None and not approval.expired(moment) and not approval.reminded_at
    return open_still and moment.timestamp() >= approval.decide_before - lead


def remind(package_arn: str, moment: datetime, hours_before: float) -> bool:
    """Mail the reminder if it is due and was not mailed before, and make its link the live one.

    Returns whether that is done now and was not before.
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
