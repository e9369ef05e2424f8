"""Computes the positions of a plot's marks in pixels; `templates/figures.html` draws them as SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from common.evaluation import Bars, Matrix, Scatter
from shared.text import shorten

WIDTH, HEIGHT = 360, 290
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 12, 44
_BARS_RIGHT = 340
# A comparison has its names above the bars; many bars have them on the left, with that much room at most.
_TALL_ROW, _FLAT_ROW, _NAMES = 44, 24, 110
# The width of a letter, with a reserve.
_LETTER = 10
# Values that differ by less count as equal: the smallest floats have no usable logarithm or scale.
_NOTHING = 1e-9
_DOTS_SHOWN, _BARS_SHOWN, _LABELS_SHOWN = 1000, 100, 100


@dataclass(frozen=True)
class Line:
    """From one point to another."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Tick:
    """A round number on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class ScatterPlot:
    """Dots within the axes, and the line on which they should lie."""

    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    dots: Sequence[tuple[float, float]]
    ideal: Line | None
    left, right, top, bottom = _LEFT, WIDTH - _RIGHT, _TOP, HEIGHT - _BOTTOM
    width, height = WIDTH, HEIGHT


@dataclass(frozen=True)
class Bar:
    """A named length. Name and value are written at `name_y` and `value_y`, the value at `end`."""

    name: str
    value: float
    name_y: int
    y: int
    value_y: int
    x: float
    width: float
    end: float


@dataclass(frozen=True)
class BarChart:
    """Bars below each other, and a mark at the limit, if there is one."""

    bars: Sequence[Bar]
    height: int
    limit: float | None = None
    mark: float = 0


@dataclass(frozen=True)
class MatrixCell:
    """A count, whether it is on the diagonal, and its share of the row in tenths: 0 only for the count 0."""

    count: int
    right: bool
    tenths: int


def scatter_plot(figure: Scatter) -> ScatterPlot:
    """The dots of a figure; finite numbers of any size."""
    points = figure.points[:_DOTS_SHOWN]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    if figure.line == "diagonal":
        low, high = _bounds([*xs, *ys])
        x, y = _axes(low, high, low, high)
        ideal: Line | None = Line(x.at(low), y.at(low), x.at(high), y.at(high))
    elif figure.line == "zero":
        reach = max(map(abs, ys), default=0) * 1.08
        reach = reach if reach > _NOTHING else 1.0
        x, y = _axes(*_bounds(xs), -reach, reach)
        ideal = Line(x.start, y.at(0), x.end, y.at(0))
    else:
        x, y = _axes(*_bounds(xs), *_bounds(ys))
        ideal = None
    return ScatterPlot(x.ticks(), y.ticks(), [(x.at(a), y.at(b)) for a, b in points], ideal)


def comparison(rows: Sequence[tuple[str, float]], limit: float | None) -> BarChart:
    """Bars from zero, to the left for negative values, and the limit."""
    scale = _from_zero([value for _, value in rows] + ([] if limit is None else [limit]), 0)
    bars = []
    for index, (name, value) in enumerate(rows):
        top = _TALL_ROW * index
        bars.append(Bar(name, value, top + 14, top + 20, top + 32, *_length(value, scale)))
    height = _TALL_ROW * len(rows) + (0 if limit is None else 22)
    return BarChart(bars, height, limit, 0 if limit is None else scale.at(limit))


def bar_chart(figure: Bars) -> BarChart:
    """The bars of a figure, from zero, to the left for negative values."""
    rows = figure.rows[:_BARS_SHOWN]
    names = [shorten(name, 16) for name, _ in rows]
    room = min(_NAMES, _LETTER * (1 + max(map(len, names), default=0)))
    scale = _from_zero([value for _, value in rows], room)
    bars = []
    for index, (name, (_, value)) in enumerate(zip(names, rows, strict=True)):
        top = _FLAT_ROW * index
        bars.append(Bar(name, value, top + 15, top + 4, top + 15, *_length(value, scale)))
    return BarChart(bars, _FLAT_ROW * len(rows))


def matrix_rows(figure: Matrix) -> list[tuple[str, list[MatrixCell]]]:
    """Label and cells of each row; empty for a matrix with too many labels to read."""
    if len(figure.labels) > _LABELS_SHOWN:
        return []
    rows = zip(figure.labels, figure.counts, strict=True)
    return [(label, _cells(index, counts)) for index, (label, counts) in enumerate(rows)]


@dataclass(frozen=True)
class _Axis:
    """Maps values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[Tick]:
        return [Tick(self.at(value), f"{value:g}") for value in round_numbers(self.low, self.high)]


def round_numbers(low: float, high: float) -> list[float]:
    """About four to eight round numbers within the bounds."""
    rough = (high - low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [count * step for count in range(first, last + 1)]


def _from_zero(values: Sequence[float], left: int) -> _Axis:
    low, high = min(0.0, *values), max(0.0, *values)
    return _Axis(low, high if high - low > _NOTHING else low + 1.0, left, _BARS_RIGHT)


def _length(value: float, scale: _Axis) -> tuple[float, float, float]:
    """The start and the width of the bar, and the position of a text beside it."""
    zero, end = scale.at(0), scale.at(value)
    return min(zero, end), max(1.0, round(abs(end - zero), 1)), max(zero, end) + 6


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = (high - low) * 0.05 if high - low > _NOTHING else 1.0
    return low - margin, high + margin


def _axes(x_low: float, x_high: float, y_low: float, y_high: float) -> tuple[_Axis, _Axis]:
    return _Axis(x_low, x_high, _LEFT, WIDTH - _RIGHT), _Axis(y_low, y_high, HEIGHT - _BOTTOM, _TOP)


def _cells(row: int, counts: Sequence[int]) -> list[MatrixCell]:
    total = sum(counts) or 1
    return [
        MatrixCell(count, row == column, max(0, min(10, math.ceil(10 * count / total))))
        for column, count in enumerate(counts)
    ]
