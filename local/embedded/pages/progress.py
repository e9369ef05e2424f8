"""How far an execution has come, from its history: each visit to a state, with times, attempts, data.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html; an event names the one
before it in its branch, so events of branches that run at the same time can be told apart.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

RUNNING, SUCCEEDED, CAUGHT, FAILED, STOPPED = "running", "succeeded", "caught", "failed", "stopped"
# Of the visits to a state inside a Map, the first of these that occurs is shown.
_ORDER = (RUNNING, FAILED, STOPPED, CAUGHT, SUCCEEDED)
_FAILURES = ("Failed", "TimedOut")


@dataclass
class Visit:
    """One stay in a state. Times are in ISO 8601, input and output are JSON."""

    state: str
    entered: str
    input: str
    around: "Visit | None" = None
    left: str | None = None
    output: str | None = None
    error: str = ""
    cause: str = ""
    attempts: int = 0
    status: str = RUNNING

    @property
    def retries(self) -> int:
        return max(0, self.attempts - 1)

    def seconds(self, now: str) -> float:
        return max(0.0, (_time(self.left or now) - _time(self.entered)).total_seconds())


@dataclass
class Progress:
    """All visits, in the order in which they began, and the ways that were taken.

    A way has the names of both states, and says whether it began with a caught error.
    """

    visits: list[Visit] = field(default_factory=list)
    ways: set[tuple[str, str, bool]] = field(default_factory=set)

    def by_state(self) -> dict[str, list[Visit]]:
        found: dict[str, list[Visit]] = {}
        for visit in self.visits:
            found.setdefault(visit.state, []).append(visit)
        return found


def status_of(visits: Sequence[Visit]) -> str:
    """The status of a state: that of its last visit, or of its visits in one Map together."""
    last = visits[-1]
    together = [visit for visit in visits if visit.around is last.around] if last.around else [last]
    found = {visit.status for visit in together}
    return next(status for status in _ORDER if status in found)


def follow(events: Iterable[Mapping[str, Any]]) -> Progress:
    """Read a history, oldest event first."""
    progress = Progress()
    # The visit to which each event belongs.
    at: dict[int, Visit | None] = {}
    still_open: dict[int, Visit] = {}
    for event in events:
        number, kind = int(event["id"]), str(event["type"])
        visit = at.get(int(event.get("previousEventId", number - 1)))
        if kind.endswith("StateEntered"):
            visit = _enter(progress, event, visit)
            still_open[id(visit)] = visit
        elif kind.endswith("StateExited"):
            visit = _leave(event, visit, still_open)
        elif kind.startswith("Execution"):
            _end(kind, event, still_open)
            visit = None
        elif visit:
            _attempt(kind, event, visit)
        at[number] = visit
    return progress


def _enter(progress: Progress, event: Mapping[str, Any], before: Visit | None) -> Visit:
    details = event["stateEnteredEventDetails"]
    visit = Visit(details["name"], event["timestamp"], details.get("input", ""))
    if before and before.left:
        visit.around = before.around
        progress.ways.add((before.state, visit.state, before.status == CAUGHT))
    else:
        visit.around = before
    progress.visits.append(visit)
    return visit


def _leave(event: Mapping[str, Any], visit: Visit | None, still_open: dict[int, Visit]) -> Visit | None:
    details = event["stateExitedEventDetails"]
    if visit is None or visit.state != details["name"]:
        named = [each for each in still_open.values() if each.state == details["name"]]
        if not named:
            return visit
        visit = named[-1]
    visit.left, visit.output = event["timestamp"], details.get("output")
    del still_open[id(visit)]
    # What is still open inside a Parallel or Map that has ended did not succeed.
    for inner in [each for each in still_open.values() if _is_inside(each, visit)]:
        inner.left, inner.status = visit.left, FAILED if inner.error else STOPPED
        visit.error, visit.cause = visit.error or inner.error, visit.cause or inner.cause
        del still_open[id(inner)]
    visit.status = CAUGHT if visit.error else SUCCEEDED
    return visit


def _is_inside(visit: Visit, outer: Visit) -> bool:
    around = visit.around
    while around and around is not outer:
        around = around.around
    return around is outer


def _attempt(kind: str, event: Mapping[str, Any], visit: Visit) -> None:
    details = event.get(f"{kind[0].lower()}{kind[1:]}EventDetails", {})
    if kind.endswith("Scheduled"):
        visit.attempts += 1
        visit.error = visit.cause = ""
    elif kind.endswith(_FAILURES):
        visit.error, visit.cause = str(details.get("error") or kind), str(details.get("cause") or "")


def _end(kind: str, event: Mapping[str, Any], still_open: dict[int, Visit]) -> None:
    """The execution ended, or was redriven after its end, which no event may have told."""
    if kind == "ExecutionStarted":
        return
    details = event.get(f"{kind[0].lower()}{kind[1:]}EventDetails", {})
    failed = kind == "ExecutionFailed"
    for visit in still_open.values():
        visit.left, visit.status = event["timestamp"], FAILED if failed else STOPPED
        if failed:
            visit.error = visit.error or str(details.get("error") or "")
            visit.cause = visit.cause or str(details.get("cause") or "")
    still_open.clear()


def _time(moment: str) -> datetime:
    return datetime.fromisoformat(moment)
