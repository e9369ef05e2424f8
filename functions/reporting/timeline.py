"""Computes the positions of a run's time line in pixels; `templates/drawings.html` draws it.

A row for each state that does something, with a bar for each attempt; below the search, its trials. Long
times in which nothing works, such as the wait for a decision, are broken: they get the same small width.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from reporting.history import Call, History, State
from reporting.searches import Search, Trial
from reporting.words import duration, round_step
from web.plots import Tick

WIDTH = 800
_LEFT, _RIGHT, _TOP, _ROW, _BAR = 170, 716, 8, 22, 14
_LANE, _TRIAL, _BROKEN, _THINNEST = 7, 5, 46, 1.5
# A wait that takes less of the time than this is drawn as long as it was.
_LONG = 0.5
_TICKS, _APART = 6, 58
Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Bar:
    """A span of time. `kind` is its CSS class, and `words` say what it is."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    words: str


@dataclass(frozen=True)
class Row:
    """A state, and how long the run was in it altogether."""

    name: str
    seconds: float
    y: float

    @property
    def took(self) -> str:
        """The time for people."""
        return duration(self.seconds)


@dataclass(frozen=True)
class Break:
    """A wait that is drawn shorter than it was."""

    x: float
    width: float
    label: str


@dataclass(frozen=True)
class Timeline:
    """Everything to draw, for a viewBox of WIDTH and `height`."""

    rows: Sequence[Row]
    bars: Sequence[Bar]
    breaks: Sequence[Break]
    ticks: Sequence[Tick]
    height: float
    width, left, right, top = WIDTH, _LEFT, _RIGHT, _TOP

    @property
    def bottom(self) -> float:
        """Where the axis is."""
        return self.height - 24


def timeline(history: History, search: Search | None, until: datetime) -> Timeline | None:
    """The time line of a history that lasted `until` then; None if nothing was done."""
    done = [state for state in history.states if state.kind == "Task"]
    if not done:
        return None
    scale = _Scale((done[0].start, until), list(_waits(history.states, until)))
    rows, bars, y = [], [], float(_TOP)
    for name in dict.fromkeys(state.name for state in done):
        visits = [state for state in done if state.name == name]
        rows.append(Row(name, sum(_seconds(visit.start, visit.end or until) for visit in visits), y))
        bars += [bar for visit in visits for bar in _bars(visit, scale, y + (_ROW - _BAR) / 2, until)]
        y += _ROW
        if search and _searched(visits, search):
            trials = list(_trial_bars(search, scale, y, until))
            bars += trials
            y = max((bar.y + _LANE for bar in trials), default=y) + 2
    return Timeline(rows, bars, scale.breaks(), scale.ticks(), y + 28)


def _searched(visits: Sequence[State], search: Search) -> bool:
    return any(call.job == search.name for visit in visits for call in visit.calls)


def _waits(states: Sequence[State], until: datetime) -> Iterator[Span]:
    """The times in which nothing works: waits for a person, and those between a failure and its redrive."""
    for state in states:
        for call in state.calls:
            if call.waits_for_a_person:
                yield call.start, call.end or until
    for state, following in pairwise(states):
        if state.end and following.start > state.end:
            yield state.end, following.start


def _bars(visit: State, scale: "_Scale", y: float, until: datetime) -> Iterator[Bar]:
    for number, call in enumerate(visit.calls, start=1):
        end = call.end or until
        kind = "failed" if call.failed else "waiting" if call.waits_for_a_person else "state"
        attempt = f", attempt {number}" if len(visit.calls) > 1 else ""
        said = f"{visit.name}{attempt}: {duration(_seconds(call.start, end))}"
        failed = ", failed" if call.failed else ""
        yield scale.bar((call.start, end), y, _BAR, kind, f"{said}{failed}")
        if call.at_work and not call.failed:
            yield scale.bar(call.at_work, y, _BAR, "work", _work_words(call))


def _work_words(call: Call) -> str:
    start, end = call.at_work or (call.start, call.start)
    return f"{call.job}: its instances worked {duration(_seconds(start, end))}"


def _trial_bars(search: Search, scale: "_Scale", y: float, until: datetime) -> Iterator[Bar]:
    """The trials in as few lanes as there were at the same time."""
    lanes: list[datetime] = []
    best = search.best
    for trial, start in sorted(_started(search.trials), key=lambda found: found[1]):
        end = trial.end or until
        lane = next((at for at, busy_until in enumerate(lanes) if busy_until <= start), len(lanes))
        lanes[lane : lane + 1] = [end]
        kind = "best" if trial is best else "failed" if trial.status == "Failed" else "trial"
        words = f"Trial {trial.number}: {duration(_seconds(start, end))}, {trial.status}"
        yield scale.bar((start, end), y + lane * _LANE, _TRIAL, kind, words)


def _started(trials: Iterable[Trial]) -> list[tuple[Trial, datetime]]:
    return [(trial, trial.start) for trial in trials if trial.start]


class _Scale:
    """Maps moments to pixels: in proportion, but for broken waits."""

    def __init__(self, span: Span, waits: Sequence[Span]) -> None:
        self._start, self._end = span
        busy = _seconds(*span) - sum(_seconds(*wait) for wait in waits)
        self._broken = sorted(wait for wait in waits if _seconds(*wait) > _LONG * max(busy, 1.0))
        shown = max(_seconds(*span) - sum(_seconds(*wait) for wait in self._broken), 0.1)
        self._pixels = (_RIGHT - _LEFT - _BROKEN * len(self._broken)) / shown
        self._shown = shown

    def at(self, moment: datetime) -> float:
        """The pixel of a moment; moments outside of the span are at its ends."""
        moment = min(max(moment, self._start), self._end)
        x, left = 0.0, _seconds(self._start, moment)
        for start, end in self._broken:
            inside = _seconds(start, min(moment, end))
            if inside > 0:
                left -= inside
                x += _BROKEN * inside / _seconds(start, end)
        return round(_LEFT + x + left * self._pixels, 1)

    def bar(self, span: Span, y: float, height: float, kind: str, words: str) -> Bar:
        x, end = self.at(span[0]), self.at(span[1])
        return Bar(x, y, max(_THINNEST, round(end - x, 1)), height, kind, words)

    def breaks(self) -> list[Break]:
        return [
            Break(self.at(start), self.at(end) - self.at(start), duration(_seconds(start, end)))
            for start, end in self._broken
        ]

    def ticks(self) -> list[Tick]:
        """Round times since the start, outside of the breaks, where there is room for their labels."""
        step = round_step(self._shown, _TICKS)
        labels = [gap.x + gap.width / 2 for gap in self.breaks()]
        found: list[Tick] = []
        for start, end in self._unbroken():
            first = int(_seconds(self._start, start) / step + 0.999)
            for count in range(first, int(_seconds(self._start, end) / step) + 1):
                at = self.at(self._start + timedelta(seconds=count * step))
                others = [*labels, *(tick.at for tick in found[-1:])]
                if all(abs(at - other) >= _APART for other in others):
                    found.append(Tick(at, duration(count * step) if count else "0"))
        return found

    def _unbroken(self) -> Iterator[Span]:
        start = self._start
        for wait in self._broken:
            yield start, wait[0]
            start = wait[1]
        yield start, self._end


def _seconds(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds()
