"""Reads an execution's request from its history, the only source that a caller cannot forge.

Every caller of a function can send it any event. Only Step Functions writes an execution's history, and
during the call of a function, the newest event there is the scheduling of this task, with its parameters and
token. (A heartbeat would prove that some token is valid, but not for which task; the description of an
execution does not name its state.) The role may read only histories of this state machine.

A history is eventually consistent, so it is read again for some seconds. If the event is still missing, the
state machine tries again.
"""

import json
from collections.abc import Mapping
from typing import Any

from shared.aws import client
from shared.polling import poll
from shared.telemetry import PublicError, count, logger

# The only events that may follow: the task has started.
_STARTED = "TaskStarted"


class RequestNotScheduled(PublicError):
    """No execution waits for this. The text names the event's execution."""


def scheduled_request(event: Mapping[str, Any], *known_by: str) -> Mapping[str, Any]:
    """The payload of the running task that the event's execution scheduled last.

    It must agree with the event in the values named `known_by`. Raises RequestNotScheduled.
    """
    execution_arn = str(event["execution_arn"])
    wanted = {name: event[name] for name in known_by}
    found = poll(lambda: _newest(execution_arn, wanted))
    if found is None:
        logger.error("no execution asks for this", execution_arn=execution_arn)
        count("RequestNotScheduled")
        raise RequestNotScheduled(execution_arn)
    return found


def _newest(execution_arn: str, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
    history = client("stepfunctions").get_execution_history(
        executionArn=execution_arn, reverseOrder=True, maxResults=2
    )
    newest: Mapping[str, Any] = next((e for e in history["events"] if e["type"] != _STARTED), {})
    scheduled = newest.get("taskScheduledEventDetails")
    payload = json.loads(scheduled["parameters"]).get("Payload") if scheduled else None
    return payload if isinstance(payload, dict) and wanted.items() <= payload.items() else None
