"""What an execution asks for, read from its own history: the one place that a caller cannot make up.

Whoever may invoke a function can hand it any event. Only Step Functions writes an execution's history, and
while a function is called its newest event is the scheduling of that very task, with its parameters and its
token. (A heartbeat would prove that some token is alive, but not what it was given out for; the description
of an execution does not say where it stands.) The role reads histories of this state machine alone.

A history is eventually consistent, so the event is looked for during some seconds. Should it not be there by
then, the state machine tries again.
"""

import json
from collections.abc import Mapping
from typing import Any

from shared.aws import client
from shared.polling import poll
from shared.telemetry import PublicError, count, logger

# What may have been written since: nothing but that the task is under way.
_STARTED = "TaskStarted"


class RequestNotScheduled(PublicError):
    """No execution asks for this. The text names the execution that the event names."""


def scheduled_request(event: Mapping[str, Any], *known_by: str) -> Mapping[str, Any]:
    """The payload of the task that the execution in `event` has scheduled last, and that is under way.

    It must have the event's values under the names `known_by`. Raises RequestNotScheduled.
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
