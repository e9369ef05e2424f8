"""Ask people to decide about a model: a record in the table, then a mail with a link.

Called with a task token; the execution waits until `resume_pipeline` answers. In this order:

1. the execution's history must show that it asks for this right now (`scheduled.py`); of the event only
   execution and token are used. So whoever merely may invoke this function can send no mail, replace no token
   and bring no ended request back
2. somebody must be able to read the mail, or the run fails at once (`NobodyToAsk`)
3. the figures are those of the registered evaluation, if it has the digest that the model package names
4. the record is stored, with the token of this attempt and the hash of a new link
5. the package is looked at: whoever decided in SageMaker before the record was there raised an event that
   found nobody waiting, so that decision is handed on from here. One made later finds the record
6. the mail goes out. Nothing can fail after it, so a retry never follows a mail that was sent, unless this
   function is killed in that instant; the second mail's link then replaces the first one's
"""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from approval.mails import approval_mail
from approval.packages import evaluation_digest
from approval.records import Approval, hash_link, new_link_id, open_request
from approval.resuming import settle
from model.artifacts import ArtifactRefused
from runs.scheduled import scheduled_request
from shared.aws import client, error_code, prepare
from shared.mails import send
from shared.telemetry import Answer, Event, ForPeople, count, logger, observed
from shared.text import now, timestamp

prepare("stepfunctions", "sns", "sagemaker", "s3")


class NobodyToAsk(ForPeople):
    """No subscription of the approvers' topic is confirmed. The text says what to do."""


@observed
def handler(event: Event) -> Answer:
    request = scheduled_request(event, "task_token")
    topic = os.environ["APPROVAL_TOPIC_ARN"]
    if not somebody_listens(topic):
        raise NobodyToAsk(_nobody(topic))
    evaluation = registered_evaluation(request["run_id"], request["model_package_arn"])
    link_id = new_link_id()
    timeout = int(os.environ["APPROVAL_TIMEOUT_SECONDS"])
    return {
        "asked": ask(new_request({**request, "evaluation": evaluation}, link_id, timeout), link_id, topic)
    }


def registered_evaluation(run_id: str, package_arn: str) -> dict[str, Any]:
    """The evaluation that was kept with a model, without what is only drawn.

    Raises ArtifactRefused if it is not the one whose digest the package has.
    """
    key, expected = f"models/{run_id}/evaluation.json", evaluation_digest(package_arn)
    try:
        body = client("s3").get_object(Bucket=os.environ["BUCKET_NAME"], Key=key)["Body"].read()
    except ClientError as error:
        if error_code(error) == "NoSuchKey":
            raise ArtifactRefused(f"{key} is missing: it was deleted") from None
        raise
    found = f"sha256:{hashlib.sha256(body).hexdigest()}"
    if found != expected:
        raise ArtifactRefused(
            f"{key} was changed after it was registered: its digest is {found}, not {expected}"
        )
    return {name: value for name, value in json.loads(body).items() if name != "test_predictions"}


def new_request(request: Mapping[str, Any], link_id: str, timeout_seconds: int) -> Approval:
    """The record of this attempt at asking. Its facts are what the execution said, without the token."""
    moment = now()
    return Approval(
        package_arn=request["model_package_arn"],
        execution_arn=request["execution_arn"],
        run_id=request["run_id"],
        task_token=request["task_token"],
        link_hash=hash_link(link_id),
        requested_at=timestamp(moment),
        decide_before=int(moment.timestamp()) + timeout_seconds,
        facts={name: value for name, value in request.items() if name != "task_token"},
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
