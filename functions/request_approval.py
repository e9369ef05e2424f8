"""Ask people to decide about a model: a record in the table, then a mail with a link.

Called with a task token; the execution waits until `resume_pipeline` answers. In this order:

1. somebody must be able to read the mail, or the run fails at once (`NobodyToAsk`)
2. the record is stored, with the token of this attempt and the hash of a new link
3. the package is looked at: whoever decided in SageMaker before the record was there raised an event that
   found nobody waiting, so that decision is handed on from here. One made later finds the record
4. the mail goes out. Nothing can fail after it, so a retry never follows a mail that was sent, unless this
   function is killed in that instant; the second mail's link then replaces the first one's
"""

import os
from collections.abc import Mapping
from typing import Any

from approval_mail import approval_mail
from approvals import Approval, hash_link, new_link_id, open_request
from aws import client, prepare
from mails import send
from resuming import settle
from telemetry import Answer, Event, ForPeople, count, logger, observed
from text import now, timestamp

prepare("sns", "sagemaker")


class NobodyToAsk(ForPeople):
    """No subscription of the approvers' topic is confirmed. The text says what to do."""


@observed
def handler(event: Event) -> Answer:
    topic = os.environ["APPROVAL_TOPIC_ARN"]
    if not somebody_listens(topic):
        raise NobodyToAsk(_nobody(topic))
    link_id = new_link_id()
    approval = new_request(event, link_id, int(os.environ["APPROVAL_TIMEOUT_SECONDS"]))
    return {"asked": ask(approval, link_id, topic)}


def new_request(event: Mapping[str, Any], link_id: str, timeout_seconds: int) -> Approval:
    """The record of this attempt at asking. Its facts are the state's input without the token."""
    moment = now()
    return Approval(
        package_arn=event["model_package_arn"],
        execution_arn=event["execution_arn"],
        run_id=event["run_id"],
        task_token=event["task_token"],
        link_hash=hash_link(link_id),
        requested_at=timestamp(moment),
        decide_before=int(moment.timestamp()) + timeout_seconds,
        facts={name: value for name, value in event.items() if name != "task_token"},
    )


def ask(approval: Approval, link_id: str, topic: str) -> bool:
    """Store the request and mail its link, unless the package is decided. Returns whether it mailed."""
    open_request(approval)
    settled = settle(approval.package_arn)
    if settled != "pending":
        logger.info("already decided in SageMaker", model_package_arn=approval.package_arn, settled=settled)
        return False
    send(approval_mail(approval, f"{os.environ['REVIEW_URL']}review/{link_id}"), topic)
    logger.info("approval requested", run_id=approval.run_id, model_package_arn=approval.package_arn)
    count("ApprovalRequested")
    return True


def somebody_listens(topic_arn: str) -> bool:
    """Whether the topic has a confirmed subscription; others have a word such as `PendingConfirmation`."""
    pages = client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    return any(s["SubscriptionArn"].startswith("arn:") for page in pages for s in page["Subscriptions"])


def _nobody(topic_arn: str) -> str:
    return (
        f"Nobody can be asked to approve the model: no subscription of {topic_arn} is confirmed. Confirm "
        'it by the mail "AWS Notification - Subscription Confirmation", then redrive this execution.'
    )
