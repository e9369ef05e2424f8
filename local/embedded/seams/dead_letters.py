"""The dead-letter queues of EventBridge's targets, which the emulator does not know."""

import json
from collections.abc import Mapping
from typing import Any


def keep_undelivered(queue_arn: str, target_arn: str, rule_arn: str, event: Any) -> None:
    """Put an event that EventBridge may not deliver into a queue. AWS does not try that again either.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """
    from ministack.services import eventbridge, sqs

    told = {
        "RULE_ARN": rule_arn,
        "TARGET_ARN": target_arn,
        "ERROR_CODE": "NO_PERMISSIONS",
        "ERROR_MESSAGE": f"No policy lets EventBridge deliver to {target_arn}.",
    }
    message: Mapping[str, Any] = {
        "QueueUrl": queue_arn.rpartition(":")[2],
        "MessageBody": json.dumps(eventbridge._pattern_event_view(event).event_with_detail()),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in told.items()
        },
    }
    sqs._act_send_message(message, "")
