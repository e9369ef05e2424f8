"""Calls between services inside the emulator, checked against policies and keys as on AWS.

EventBridge calls its targets and keeps undelivered events, Lambda keeps events on which a function
failed, CloudWatch publishes alarms.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

from local.embedded.iam import CannotAssume, Questions
from local.embedded.seams.keys import service_may_use, uses
from local.embedded.seams.roles import check_trust, policy_lets, role_may

logger = logging.getLogger(__name__)

_EVENTS, _CLOUDWATCH = "events.amazonaws.com", "cloudwatch.amazonaws.com"


def install_handovers(questions: Questions) -> None:
    """Check permissions before each of them."""
    from ministack import app

    if app.AUTH:
        _ask_for_eventbridge(questions)
        _ask_for_lambda(questions)
        _ask_for_alarms(questions)


def _ask_for_eventbridge(questions: Questions) -> None:
    from ministack.services import eventbridge

    original = eventbridge._invoke_target

    def invoke(target: Mapping[str, Any], event: Any, rule: Mapping[str, Any], *args: Any) -> None:
        if _may_deliver(target, rule, questions):
            original(target, event, rule, *args)
            return
        logger.error("EventBridge may not deliver to %s: no policy allows it", target["Arn"])
        letters = target.get("DeadLetterConfig", {}).get("Arn")
        if letters and _may_deliver({"Arn": letters}, rule, questions):
            _keep_undelivered(letters, target["Arn"], rule["Arn"], event)

    eventbridge._invoke_target = invoke


def _may_deliver(target: Mapping[str, Any], rule: Mapping[str, Any], questions: Questions) -> bool:
    from ministack.services import lambda_svc, sqs

    arn = target["Arn"]
    service = arn.split(":")[2]
    if service == "states":
        try:
            check_trust(_EVENTS, target.get("RoleArn", ":::::"), questions)
        except CannotAssume:
            return False
        return role_may(target["RoleArn"], "states:StartExecution", arn, questions)
    lookups = {
        "lambda": ("lambda:InvokeFunction", lambda_svc.function_policy_for_arn),
        "sqs": ("sqs:SendMessage", sqs.queue_policy_for_arn),
    }
    if service not in lookups:
        return True
    action, policy_of = lookups[service]
    rule_arn = rule.get("Arn", "")
    origin = {"aws:sourcearn": rule_arn, "aws:sourceaccount": rule_arn.split(":")[4] if rule_arn else ""}
    policy, _ = policy_of(arn) or (None, "")
    return policy_lets(_EVENTS, action, arn, origin, policy, questions) and service_may_use(
        _EVENTS, uses(action, arn), {}, questions
    )


def _keep_undelivered(queue_arn: str, target_arn: str, rule_arn: str, event: Any) -> None:
    """Put an event that EventBridge may not deliver into a queue. AWS does not retry this either.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """
    from ministack.services import eventbridge, sqs

    attributes = {
        "RULE_ARN": rule_arn,
        "TARGET_ARN": target_arn,
        "ERROR_CODE": "NO_PERMISSIONS",
        "ERROR_MESSAGE": f"No policy lets EventBridge deliver to {target_arn}.",
    }
    message: Mapping[str, Any] = {
        "QueueUrl": queue_arn.rpartition(":")[2],
        "MessageBody": json.dumps(eventbridge._pattern_event_view(event).event_with_detail()),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    }
    sqs._act_send_message(message, "")


def _ask_for_lambda(questions: Questions) -> None:
    from ministack.services import lambda_svc

    original = lambda_svc._route_async_failure

    def route(target_arn: str, func_name: str, *args: Any) -> None:
        role = lambda_svc._functions[func_name]["config"]["Role"]
        if role_may(role, "sqs:SendMessage", target_arn, questions) and all(
            role_may(role, use.action, use.key, questions, use.context)
            for use in uses("sqs:SendMessage", target_arn)
        ):
            original(target_arn, func_name, *args)
        else:
            logger.error("Lambda may not put failed events of %s into %s", func_name, target_arn)

    lambda_svc._route_async_failure = route


def _ask_for_alarms(questions: Questions) -> None:
    from ministack.services import cloudwatch

    original = cloudwatch._dispatch_alarm_actions

    def dispatch(alarm: Mapping[str, Any], *args: Any) -> None:
        origin = {"aws:sourceaccount": alarm["AlarmArn"].split(":")[4], "aws:sourcearn": alarm["AlarmArn"]}
        actions = {
            name: [
                topic
                for topic in alarm.get(name) or []
                if service_may_use(_CLOUDWATCH, uses("sns:Publish", topic), origin, questions)
            ]
            for name in ("AlarmActions", "OKActions", "InsufficientDataActions")
        }
        original({**alarm, **actions}, *args)

    cloudwatch._dispatch_alarm_actions = dispatch
