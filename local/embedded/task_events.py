"""A task's events in the history: https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html

A function or an activity that is itself the Resource has its own kinds of events; every other task
has the TaskScheduled, TaskStarted, TaskSubmitted, ... of its integration.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from local.embedded.resources import Resource
from local.embedded.task_errors import TaskError

Record = Callable[[str, Mapping[str, Any]], None]
_KINDS = {"function": "LambdaFunction", "activity": "Activity"}


class TaskEvents:
    """The events of one attempt, in the order of the calls."""

    def __init__(self, record: Record, arn: str, resource: Resource) -> None:
        self._record = record
        self._arn = arn
        self._resource = resource
        self._kind = _KINDS.get(resource.service, "Task")
        self._state = ""

    def scheduled(self, arguments: Any, limit: float | None) -> None:
        """The attempt begins, with these arguments and this time limit in seconds."""
        given = "parameters" if self._kind == "Task" else "input"
        details = {given: json.dumps(arguments)}
        if self._kind != "Task":
            details["resource"] = self._arn
        self._add("Scheduled", details | ({} if limit is None else {"timeoutInSeconds": int(limit)}))
        if self._kind != "Activity":
            self._add("Started", {})

    def submitted(self, response: Any) -> None:
        """The service has accepted the request; the task waits for the end."""
        if self._kind == "Task":
            self._add("Submitted", {"output": json.dumps(response)})

    def succeeded(self, result: Any) -> None:
        """The attempt has its result."""
        self._add("Succeeded", {"output": json.dumps(result)})

    def failed(self, failure: TaskError) -> None:
        """The attempt failed, if it began at all."""
        what = "TimedOut" if failure.error == "States.Timeout" else "Failed"
        if what == "Failed" and self._state == "Started" and self._kind == "Task" and self._resource.pattern:
            what = "SubmitFailed"
        if self._state and self._state != "Succeeded":
            self._add(what, {"error": failure.error, "cause": failure.cause})

    def _add(self, what: str, details: Mapping[str, Any]) -> None:
        self._state = what
        event = f"{self._kind}{what}"
        if self._kind == "Task":
            names = {"resourceType": self._resource.event_type, "resource": self._resource.event_action}
            details = {**names, **({"region": "us-east-1"} if what == "Scheduled" else {}), **details}
        self._record(event, {f"{event[0].lower()}{event[1:]}EventDetails": dict(details)} if details else {})
