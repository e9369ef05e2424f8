"""EventBridge Scheduler: acts as the role of its target, and refuses what the service refuses.

By https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html (the role),
.../configuring-schedule-dlq.html (the role writes to the queue, a standard one, too), .../schedule-types.html
and .../managing-schedule-context-attributes.html. ministack takes the scheduler for a rule of EventBridge.
"""

import json
import logging
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from local.embedded.iam import CannotAssume, Questions
from local.embedded.seams.keys import uses
from local.embedded.seams.roles import check_trust, role_may

logger = logging.getLogger(__name__)

SCHEDULE = "AWS::Scheduler::Schedule"
_SCHEDULER = "scheduler.amazonaws.com"
# How often ministack looks for schedules that are due; the service is exact to a minute.
_TICK_SECONDS = 1
_EXPRESSIONS = (
    re.compile(r"rate\([1-9]\d* (minute|minutes|hour|hours|day|days)\)"),
    re.compile(r"cron\((\S+ ){5}\S+\)"),
    re.compile(r"at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)"),
)
_ACTIONS = {"lambda": "lambda:InvokeFunction", "states": "states:StartExecution"}


def install_schedules(questions: Questions) -> None:
    """Check schedules when they are made, and permissions when they are due. Comes after the handovers."""
    from ministack.services import eventbridge, scheduler
    from ministack.services.cloudformation import provisioners

    scheduler._SCHEDULE_TICK_INTERVAL = _TICK_SECONDS
    for name in ("_create_schedule", "_update_schedule"):
        setattr(scheduler, name, _checked_call(getattr(scheduler, name), questions))
    handlers = provisioners._RESOURCE_HANDLERS[SCHEDULE]
    create, update = handlers["create"], handlers["update"]

    def create_checked(logical_id: str, properties: Mapping[str, Any], *more: Any) -> Any:
        _refuse(properties, questions)
        return create(logical_id, properties, *more)

    def update_checked(physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], *more: Any) -> Any:
        _refuse(new, questions)
        return update(physical_id, old, new, *more)

    handlers |= {"create": create_checked, "update": update_checked}
    original = eventbridge._invoke_target

    def invoke(
        target: Mapping[str, Any], event: Mapping[str, Any], rule: Mapping[str, Any], *more: Any
    ) -> None:
        if event["Source"] == "aws.scheduler":
            _deliver(target, rule, questions)
        else:
            original(target, event, rule, *more)

    eventbridge._invoke_target = invoke


def _checked_call(original: Callable[..., Any], questions: Questions) -> Callable[..., Any]:
    def call(name: str, body: Mapping[str, Any]) -> Any:
        from ministack.services import scheduler

        if problem := problem_of(body, questions):
            return scheduler._error(400, "ValidationException", problem)
        return original(name, body)

    return call


def _refuse(properties: Mapping[str, Any], questions: Questions) -> None:
    if problem := problem_of(properties, questions):
        raise ValueError(
            f'Resource handler returned message: "{problem} (Service: Scheduler, Status Code: 400)" '
            "(HandlerErrorCode: InvalidRequest)"
        )


def problem_of(schedule: Mapping[str, Any], questions: Questions) -> str:
    """Why the service does not take a schedule; empty if it does."""
    expression = str(schedule.get("ScheduleExpression") or "")
    window, target = schedule.get("FlexibleTimeWindow") or {}, schedule.get("Target") or {}
    if not any(form.fullmatch(expression) for form in _EXPRESSIONS):
        return f"Invalid Schedule Expression {expression}."
    if window.get("Mode") not in ("OFF", "FLEXIBLE"):
        return "FlexibleTimeWindow needs a Mode, OFF or FLEXIBLE."
    if (window["Mode"] == "FLEXIBLE") != ("MaximumWindowInMinutes" in window):
        return "MaximumWindowInMinutes is given with the Mode FLEXIBLE, and only then."
    if not target.get("Arn") or not target.get("RoleArn"):
        return "Target Arn and RoleArn are required."
    service = str(target["Arn"]).split(":")[2]
    if service not in _ACTIONS:
        return f"Targets of {service} are not supported locally; functions and state machines are."
    return _problem_of_target(target, questions)


def _problem_of_target(target: Mapping[str, Any], questions: Questions) -> str:
    from ministack import app

    try:
        json.loads(target.get("Input") or "{}")
    except ValueError:
        return "Invalid Input. The Input of this target has to be well-formed JSON."
    letters = str((target.get("DeadLetterConfig") or {}).get("Arn") or "")
    if letters.endswith(".fifo") or (letters and letters.split(":")[2] != "sqs"):
        return "A dead-letter queue has to be a standard queue of SQS."
    try:
        if app.AUTH:
            check_trust(_SCHEDULER, target["RoleArn"], questions)
    except CannotAssume:
        return "The execution role you provide must allow AWS EventBridge Scheduler to assume the role."
    return ""


def _deliver(target: Mapping[str, Any], schedule: Mapping[str, Any], questions: Questions) -> None:
    from ministack.services import eventbridge

    arn, payload = target["Arn"], _payload(target, schedule)
    service = arn.split(":")[2]
    if _role_may(target, _ACTIONS[service], arn, questions):
        send = {
            "lambda": eventbridge._dispatch_to_lambda,
            "states": eventbridge._dispatch_to_stepfunctions,
        }[service]
        send(arn, payload)
        return
    logger.error("%s may not call %s", target["RoleArn"], arn)
    letters = (target.get("DeadLetterConfig") or {}).get("Arn")
    if letters and _role_may(target, "sqs:SendMessage", letters, questions):
        _keep_undelivered(letters, arn, schedule["Arn"], payload)


def _role_may(target: Mapping[str, Any], action: str, resource: str, questions: Questions) -> bool:
    from ministack import app

    if not app.AUTH:
        return True
    role = target["RoleArn"]
    try:
        check_trust(_SCHEDULER, role, questions)
    except CannotAssume:
        return False
    return role_may(role, action, resource, questions) and all(
        role_may(role, use.action, use.key, questions, use.context) for use in uses(action, resource)
    )


def _payload(target: Mapping[str, Any], schedule: Mapping[str, Any]) -> str:
    """The target's input, in which the service fills in the context attributes."""
    context = {
        "schedule-arn": schedule["Arn"],
        "scheduled-time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "execution-id": str(uuid.uuid4()),
        "attempt-number": "1",
    }
    payload = str(target.get("Input") or "{}")
    for name, value in context.items():
        payload = payload.replace(f"<aws.scheduler.{name}>", value)
    return payload


def _keep_undelivered(queue_arn: str, target_arn: str, schedule_arn: str, payload: str) -> None:
    from ministack.services import sqs

    attributes = {
        "SCHEDULE_ARN": schedule_arn,
        "TARGET_ARN": target_arn,
        "ERROR_CODE": "AccessDeniedException",
        "ERROR_MESSAGE": f"The execution role may not call {target_arn}.",
    }
    message: Mapping[str, Any] = {
        "QueueUrl": queue_arn.rpartition(":")[2],
        "MessageBody": payload,
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    }
    sqs._act_send_message(message, "")
