"""Asks for a decision, in this order:

1. The topic needs a confirmed subscription; otherwise the run fails at once (`NobodyToAsk`).
2. The metrics come from the registered evaluation, which must have the digest that the model package names.
3. The record is stored, with the token of this attempt and the hash of a new link.
4. The package is read. The event of a decision made in SageMaker before the record existed found no waiting
   request, so that decision is passed on here. A later decision finds the record.
5. The mail is sent. No later step can fail, so a retry never follows a sent mail, unless the function is
   killed at that instant; the second mail's link then replaces the first one's.
"""

import os
from collections.abc import Mapping
from typing import Any

from approval.mails import request_mail
from approval.records import hash_link, open_request
from approval.request import Approval
from approval.resuming import settle
from common.evaluation import Evaluation
from costs.run_costs import RunCost
from shared.aws import client
from shared.mails import send
from shared.telemetry import PublicError, count, logger
from shared.text import now, timestamp


class NobodyToAsk(PublicError):
    """No subscription of the approvers' topic is confirmed. The text says what to do."""


def new_request(
    request: Mapping[str, Any],
    evaluation: Evaluation,
    link_id: str,
    timeout_seconds: int,
    cost: RunCost | None = None,
) -> Approval:
    """The record of this attempt. Its facts are the execution's payload without the token, and the cost."""
    moment = now()
    said = {name: value for name, value in request.items() if name != "task_token"}
    return Approval(
        package_arn=request["model_package_arn"],
        execution_arn=request["execution_arn"],
        run_id=request["run_id"],
        task_token=request["task_token"],
        link_hash=hash_link(link_id),
        requested_at=timestamp(moment),
        decide_before=int(moment.timestamp()) + timeout_seconds,
        facts={
            **said,
            "workload": evaluation.workload,
            "evaluation": evaluation.summary(),
            **({"cost": cost.to_json()} if cost else {}),
        },
    )


def ask(approval: Approval, link_id: str, topic_arn: str) -> bool:
    """Store the request and mail its link, unless the package is decided. Returns whether it mailed."""
    open_request(approval)
    settled = settle(approval.package_arn)
    if settled != "pending":
        logger.info("already decided in SageMaker", model_package_arn=approval.package_arn, settled=settled)
        return False
    send(request_mail(approval, f"{os.environ['REVIEW_URL']}review/{link_id}"), topic_arn)
    logger.info("approval requested", run_id=approval.run_id, model_package_arn=approval.package_arn)
    count("ApprovalRequested")
    return True


def check_subscribers(topic_arn: str) -> None:
    """Raise NobodyToAsk unless the topic has a confirmed subscription."""
    if not has_confirmed_subscription(topic_arn):
        raise NobodyToAsk(
            f"Nobody can be asked to approve the model: no subscription of {topic_arn} is confirmed. Confirm "
            'it by the mail "AWS Notification - Subscription Confirmation", then redrive this execution.'
        )


def has_confirmed_subscription(topic_arn: str) -> bool:
    """An unconfirmed subscription has a word such as `PendingConfirmation` for an ARN."""
    pages = client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    return any(s["SubscriptionArn"].startswith("arn:") for page in pages for s in page["Subscriptions"])
