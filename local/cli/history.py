"""An execution's history, read as it grows, reduced to what the command line needs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Status = Literal["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
_ENDS: dict[str, Status] = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionTimedOut": "TIMED_OUT",
    "ExecutionAborted": "ABORTED",
}


@dataclass(frozen=True)
class Entered:
    """A state began."""

    state: str


@dataclass(frozen=True)
class Left:
    """A state is over; `failed` if its last attempt failed, whether or not another state caught that."""

    state: str
    seconds: float
    failed: bool = False


@dataclass(frozen=True)
class Called:
    """A task sent its request: `resource` is the API action, as in createTransformJob.sync."""

    resource: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Answered:
    """A task has its result."""

    resource: str
    output: Mapping[str, Any]


@dataclass(frozen=True)
class Ended:
    """The execution is over, with `output` if it succeeded, otherwise with `error` and `cause`."""

    status: Status
    output: Mapping[str, Any]
    error: str
    cause: str


# About as many as happen between two looks; a page of everything takes the machine's time from the jobs.
_PAGE = 12

Update = Entered | Left | Called | Answered | Ended


class History:
    """One execution's history; each call of `updates` returns what is new since the last call."""

    def __init__(self, step_functions: Any, execution_arn: str) -> None:
        self._client = step_functions
        self._arn = execution_arn
        self._last_id = 0
        self._open: tuple[str, datetime] | None = None
        self._failing = False

    def updates(self) -> list[Update]:
        """What happened since the last call, in order."""
        return [update for event in self._new_events() for update in self._understand(event)]

    def _new_events(self) -> list[dict[str, Any]]:
        # Newest first: after a known event, the remaining pages hold nothing new.
        found: list[dict[str, Any]] = []
        arguments = {"executionArn": self._arn, "reverseOrder": True, "maxResults": _PAGE}
        while True:
            page = self._client.get_execution_history(**arguments)
            new = [event for event in page["events"] if event["id"] > self._last_id]
            found += new
            if len(new) < len(page["events"]) or not page.get("nextToken"):
                break
            arguments["nextToken"] = page["nextToken"]
        found.reverse()
        if found:
            self._last_id = found[-1]["id"]
        return found

    def _understand(self, event: dict[str, Any]) -> Iterator[Update]:
        kind, at = event["type"], event["timestamp"]
        if kind.endswith("StateEntered"):
            yield from self._close(at)
            name = event["stateEnteredEventDetails"]["name"]
            self._open = (name, at)
            yield Entered(name)
        elif kind.endswith("StateExited"):
            yield from self._close(at)
        elif kind in ("TaskFailed", "TaskTimedOut", "TaskSubmitFailed", "TaskStartFailed"):
            self._failing = True
        elif kind == "TaskScheduled":
            self._failing = False
            details = event["taskScheduledEventDetails"]
            yield Called(details["resource"], _object(details["parameters"]))
        elif kind == "TaskSucceeded":
            details = event["taskSucceededEventDetails"]
            yield Answered(details["resource"], _object(details.get("output", "")))
        elif kind in _ENDS:
            self._failing = kind != "ExecutionSucceeded"
            yield from self._close(at)
            yield _end(_ENDS[kind], event)

    def _close(self, at: datetime) -> Iterator[Left]:
        # A state whose failure is caught does not always have an exit event: the next entry ends it as well.
        if self._open:
            name, since = self._open
            self._open = None
            yield Left(name, (at - since).total_seconds(), self._failing)
            self._failing = False


def _end(status: Status, event: Mapping[str, Any]) -> Ended:
    name = event["type"]
    details = event.get(f"{name[0].lower()}{name[1:]}EventDetails", {})
    output = _object(details.get("output", ""))
    return Ended(status, output, details.get("error", ""), details.get("cause", ""))


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {"value": value}
