"""Computes the positions of a search's plots in pixels; `templates/drawings.html` draws them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from reporting.searches import Search, Trial
from reporting.words import duration, round_durations
from shared.text import number, shorten
from web.plots import Tick, round_numbers

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 704, 14, 216
# Values that span more than this are drawn on a logarithmic axis.
_DECADES = 30
_CATEGORIES, _TICKS = 12, 6
_LINES = 200
_NOTHING = 1e-12


@dataclass(frozen=True)
class Dot:
    """A trial; `words` say which one."""

    x: float
    y: float
    kind: str
    words: str


@dataclass(frozen=True)
class Course:
    """The objective of each trial at its end, and the best so far as the points of a line."""

    dots: Sequence[Dot]
    best: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    width, height, left, right, top, bottom = WIDTH, HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM


@dataclass(frozen=True)
class Axis:
    """An upright axis; `ticks` are from its bottom to its top."""

    name: str
    x: float
    ticks: Sequence[Tick]


@dataclass(frozen=True)
class Path:
    """A trial as the points of a line through all axes."""

    points: str
    kind: str
    words: str


@dataclass(frozen=True)
class Parallel:
    """A line for each trial through an axis for each hyperparameter and one for the objective."""

    axes: Sequence[Axis]
    paths: Sequence[Path]
    width, height, top, bottom = WIDTH, HEIGHT, _TOP + 18, _BOTTOM


def course(search: Search) -> Course | None:
    """None without a trial that has a value."""
    trials = search.measured
    begin = min((trial.start for trial in trials if trial.start), default=None)
    if not trials or begin is None:
        return None
    seconds = [(trial.end - begin).total_seconds() if trial.end else 0.0 for trial in trials]
    values = [trial.objective or 0.0 for trial in trials]
    x = _Scale(0.0, max(seconds), _LEFT, _RIGHT)
    y = _Scale(*_bounds(values), _BOTTOM, _TOP)
    ticks = [Tick(x.at(moment), duration(moment)) for moment in round_durations(max(seconds), _TICKS)]
    dots = [
        Dot(x.at(moment), y.at(value), "best" if trial is search.best else "", _words(trial, search))
        for trial, moment, value in zip(trials, seconds, values, strict=True)
    ]
    return Course(dots, _stairs(dots, search.minimizes), ticks, y.ticks(number))


def parallel(search: Search) -> Parallel | None:
    """None without a hyperparameter that was tuned."""
    trials = search.measured[:_LINES]
    names = sorted({name for trial in trials for name in trial.hyperparameters})
    if not names:
        return None
    scales = [_scale_of([trial.hyperparameters.get(name, "") for trial in trials]) for name in names]
    objective = _Scale(*_bounds([trial.objective or 0.0 for trial in trials]), _BOTTOM, _TOP + 18)
    places = [round(_LEFT + at * (_RIGHT - _LEFT - 30) / len(names), 1) for at in range(len(names) + 1)]
    axes = [Axis(shorten(n, 18), x, s.labels()) for n, x, s in zip(names, places, scales, strict=False)]
    axes.append(Axis(shorten(search.metric, 24), places[-1], objective.ticks(number)))
    paths = []
    for trial in sorted(trials, key=lambda each: each is search.best):
        ys = [s.place(trial.hyperparameters.get(n, "")) for n, s in zip(names, scales, strict=True)]
        ys.append(objective.at(trial.objective or 0.0))
        points = " ".join(f"{x},{y}" for x, y in zip(places, ys, strict=True))
        paths.append(Path(points, "best" if trial is search.best else "", _words(trial, search)))
    return Parallel(axes, paths)


def _words(trial: Trial, search: Search) -> str:
    best = ", the best" if trial is search.best else ""
    return f"Trial {trial.number}: {search.metric} {number(trial.objective)}{best}"


def _stairs(dots: Sequence[Dot], minimizes: bool) -> str:
    """The best so far. Down is better if it minimizes, and pixels grow downwards."""
    reached = list(accumulate((dot.y for dot in dots), max if minimizes else min))
    points = [(dots[0].x, reached[0])]
    for (_, level), (dot, now) in pairwise(zip(dots, reached, strict=True)):
        points += [(dot.x, level), (dot.x, now)]
    return " ".join(f"{x},{y}" for x, y in [*points, (_RIGHT, reached[-1])])


@dataclass(frozen=True)
class _Scale:
    """Numbers on an axis, `logarithmic` if they span decades."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        low, high, value = (
            (math.log10(each) for each in (self.low, self.high, value))
            if self.logarithmic
            else (self.low, self.high, value)
        )
        share = (value - low) / (high - low) if high - low > _NOTHING else 0.5
        return round(self.start + share * (self.end - self.start), 1)

    def place(self, text: str) -> float:
        return self.at(float(text))

    def labels(self) -> list[Tick]:
        return self.ticks(number)

    def ticks(self, words: Callable[[float], str]) -> list[Tick]:
        if self.high - self.low <= _NOTHING:
            values = [self.low]
        elif self.logarithmic:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            values = [10.0**power for power in range(first, last + 1)]
        else:
            values = round_numbers(self.low, self.high)
        return [Tick(self.at(value), words(value)) for value in values]


@dataclass(frozen=True)
class _Categories:
    """Words on an axis, in equal distances."""

    names: Sequence[str]

    def place(self, text: str) -> float:
        share = (self.names.index(text) + 0.5) / len(self.names)
        return round(_BOTTOM + share * (_TOP + 18 - _BOTTOM), 1)

    def labels(self) -> list[Tick]:
        shown = self.names if len(self.names) <= _CATEGORIES else ()
        return [Tick(self.place(name), shorten(name, 14)) for name in shown]


def _scale_of(texts: Sequence[str]) -> _Scale | _Categories:
    try:
        values = [float(text) for text in texts]
    except ValueError:
        return _Categories(sorted(set(texts)))
    if not all(map(math.isfinite, values)):
        return _Categories(sorted(set(texts)))
    low, high = min(values), max(values)
    logarithmic = low > 0 and high / low > _DECADES
    return _Scale(low, high, _BOTTOM, _TOP + 18, logarithmic)


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return low - margin, high + margin
