"""An execution's history as states and calls. It never contains a task token, which the real one does."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from common import lenient
from runs.causes import json_object
from shared.aws import client

_PAGE = 1000
_FAILURES = {"TaskFailed", "TaskTimedOut", "TaskSubmitFailed", "TaskStartFailed"}
# The events of the ends of jobs have these, in milliseconds.
_STARTS = ("ProcessingStartTime", "TransformStartTime")
_ENDS = ("ProcessingEndTime", "TransformEndTime", "HyperParameterTuningEndTime")
_NAMES = ("ProcessingJobName", "TransformJobName", "HyperParameterTuningJobName")


@dataclass(frozen=True)
class Call:
    """An attempt of a task. `request` and `answer` are a function's payload, or a service's request.

    `end` is None while it is under way.
    """

    state: str
    resource: str
    start: datetime
    request: Mapping[str, Any]
    answer: Mapping[str, Any] = field(default_factory=dict)
    end: datetime | None = None
    failed: bool = False

    @property
    def job(self) -> str:
        """The name of the SageMaker job that it starts and waits for; empty if it starts none."""
        started = self.resource.endswith(".sync")
        return (
            next((str(self.request[name]) for name in _NAMES if name in self.request), "") if started else ""
        )

    @property
    def waits_for_a_person(self) -> bool:
        """Whether it lasts until somebody decides."""
        return self.resource.endswith(".waitForTaskToken")

    @property
    def at_work(self) -> tuple[datetime, datetime] | None:
        """From when to when the job's instances were at work; None if the job has not said so."""
        start, end = (
            next((moment for name in names if (moment := _moment(self.answer.get(name)))), None)
            for names in (_STARTS, _ENDS)
        )
        return (start, end) if start and end else None


@dataclass(frozen=True)
class State:
    """A visit to a state. `end` is None while the execution is in it."""

    name: str
    kind: str
    start: datetime
    end: datetime | None = None
    failed: bool = False
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True)
class History:
    """The visits to states, in order."""

    states: tuple[State, ...] = ()

    @property
    def calls(self) -> list[Call]:
        """All attempts of all tasks, in order."""
        return [call for state in self.states for call in state.calls]


def read_history(execution_arn: str) -> History:
    """The history so far. Step Functions deletes it 90 days after the execution's end."""
    pages = (
        client("stepfunctions")
        .get_paginator("get_execution_history")
        .paginate(executionArn=execution_arn, PaginationConfig={"PageSize": _PAGE})
    )
    return history_of(event for page in pages for event in page["events"])


def history_of(events: Iterable[Mapping[str, Any]]) -> History:
    """The history that these events tell, in their order."""
    reader = _Reader()
    for event in events:
        reader.take(event)
    return History(tuple(reader.states))


class _Reader:
    """Takes the events in order. The last of `states` is open until its `end` is known."""

    def __init__(self) -> None:
        self.states: list[State] = []

    def take(self, event: Mapping[str, Any]) -> None:
        kind, at = str(event["type"]), event["timestamp"]
        if kind.endswith("StateEntered"):
            self._close(at)
            name = event["stateEnteredEventDetails"]["name"]
            self.states.append(State(name, kind.removesuffix("StateEntered"), at))
        elif kind == "TaskScheduled":
            self._reopen(at)
            self._add(_call(self.states[-1].name, at, event["taskScheduledEventDetails"]))
        elif kind == "TaskSucceeded":
            output = json_object(event["taskSucceededEventDetails"].get("output"))
            self._finish(at, output, failed=False)
        elif kind in _FAILURES:
            details = event.get(f"{kind[0].lower()}{kind[1:]}EventDetails") or {}
            self._finish(at, json_object(details.get("cause")), failed=True)
        elif kind.endswith("StateExited") or (kind.startswith("Execution") and kind != "ExecutionStarted"):
            self._close(at)

    def _close(self, at: datetime) -> None:
        # A state whose failure is caught does not always have an exit event: the next entry ends it as well.
        if self.states and self.states[-1].end is None:
            failed = bool(self.states[-1].calls) and self.states[-1].calls[-1].failed
            self.states[-1] = replace(self.states[-1], end=at, failed=failed)

    def _reopen(self, at: datetime) -> None:
        # A redriven task may begin without an event of its state.
        if self.states[-1].end is not None:
            self.states.append(State(self.states[-1].name, self.states[-1].kind, at))

    def _add(self, call: Call) -> None:
        self.states[-1] = replace(self.states[-1], calls=(*self.states[-1].calls, call))

    def _finish(self, at: datetime, output: Mapping[str, Any], *, failed: bool) -> None:
        *before, last = self.states[-1].calls
        answer = lenient.mapping(output.get("Payload")) or output
        done = replace(last, answer=answer, end=at, failed=failed)
        self.states[-1] = replace(self.states[-1], calls=(*before, done))


def _call(state: str, at: datetime, details: Mapping[str, Any]) -> Call:
    request = json_object(details.get("parameters"))
    request = dict(lenient.mapping(request.get("Payload")) or request)
    shown = {name: value for name, value in request.items() if name != "task_token"}
    return Call(state, str(details["resource"]), at, shown)


def _moment(milliseconds: object) -> datetime | None:
    found = lenient.number(milliseconds)
    return datetime.fromtimestamp(found / 1000, UTC) if found else None
