"""Plots as SVG elements inside the page: no script, no file, the colours are the page's own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element  # builds only

from model.details import Point
from shared.text import number
from web.markup import element

_WIDTH, _HEIGHT = 360, 290
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 12, 44
_ROW = 44
# Values that differ by less do not differ: numbers as small as can be have no logarithm and no scale.
_NOTHING = 1e-9


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

    def ticks(self) -> list[float]:
        return ticks(self.low, self.high)


def predicted_against_actual(points: Sequence[Point]) -> Element:
    """Each test car as a dot; on the line the prediction is right."""
    values = [value for point in points for value in (point.actual, point.predicted)]
    low, high = _bounds(values)
    x, y = _axes(low, high, low, high)
    right = element("line", class_="ideal", x1=x.at(low), y1=y.at(low), x2=x.at(high), y2=y.at(high))
    dots = [_dot(x.at(point.actual), y.at(point.predicted)) for point in points]
    return _plot(
        "Predicted against actual mpg of the test cars", "actual mpg", "predicted mpg", x, y, [right, *dots]
    )


def residuals(points: Sequence[Point]) -> Element:
    """How far each prediction is off; above zero the car does better than predicted."""
    errors = [point.actual - point.predicted for point in points]
    reach = max(map(abs, errors), default=0) * 1.08
    reach = reach if reach > _NOTHING else 1.0
    x, y = _axes(*_bounds([point.predicted for point in points]), -reach, reach)
    zero = element("line", class_="ideal", x1=x.start, y1=y.at(0), x2=x.end, y2=y.at(0))
    pairs = zip(points, errors, strict=True)
    dots = [_dot(x.at(point.predicted), y.at(error)) for point, error in pairs]
    return _plot("Errors of the test predictions", "predicted mpg", "actual - predicted", x, y, [zero, *dots])


def bars(rows: Sequence[tuple[str, float]], limit: float) -> Element:
    """Lengths to compare, the first one being what the page is about, and a mark at the limit."""
    scale = _Axis(0, max([limit, *(value for _, value in rows)]) or 1.0, 0, 340)
    height = _ROW * len(rows) + 22
    mark = scale.at(limit)
    side = "end" if mark > 130 else "start"  # on which the words have room
    label = ", ".join(f"{name} {number(value)}" for name, value in rows) + f", threshold {number(limit)}"
    return element(
        "svg",
        element("title", f"Mean squared errors: {label}"),
        [_bar(index, name, value, scale) for index, (name, value) in enumerate(rows)],
        element("line", class_="limit", x1=mark, y1=2, x2=mark, y2=height - 18),
        element(
            "text", f"threshold {number(limit)}", x=mark, y=height - 4, text_anchor=side, class_="limit-name"
        ),
        viewBox=f"0 0 400 {height}",
        role="img",
        class_="bars",
    )


def ticks(low: float, high: float) -> list[float]:
    """Some four to eight round numbers within the bounds."""
    rough = (high - low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [count * step for count in range(first, last + 1)]


def _bar(index: int, name: str, value: float, scale: _Axis) -> Element:
    top = _ROW * index
    return element(
        "g",
        element("text", name, x=0, y=top + 14),
        element("rect", x=0, y=top + 20, width=max(1.0, scale.at(value)), height=14, rx=3),
        element("text", number(value), x=scale.at(value) + 6, y=top + 32),
        class_="bar this" if index == 0 else "bar",
    )


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = (high - low) * 0.05 if high - low > _NOTHING else 1.0
    return low - margin, high + margin


def _axes(x_low: float, x_high: float, y_low: float, y_high: float) -> tuple[_Axis, _Axis]:
    return _Axis(x_low, x_high, _LEFT, _WIDTH - _RIGHT), _Axis(y_low, y_high, _HEIGHT - _BOTTOM, _TOP)


def _dot(x: float, y: float) -> Element:
    return element("circle", cx=x, cy=y, r=3.5)


def _plot(title: str, x_name: str, y_name: str, x: _Axis, y: _Axis, marks: list[Element]) -> Element:
    middle = (y.start + y.end) / 2
    return element(
        "svg",
        element("title", title),
        [_x_tick(x.at(value), value) for value in x.ticks()],
        [_y_tick(y.at(value), value) for value in y.ticks()],
        element("text", x_name, x=(x.start + x.end) / 2, y=_HEIGHT - 8, text_anchor="middle", class_="axis"),
        element(
            "text",
            y_name,
            x=12,
            y=middle,
            text_anchor="middle",
            transform=f"rotate(-90 12 {middle})",
            class_="axis",
        ),
        marks,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        class_="plot",
    )


def _x_tick(at: float, value: float) -> list[Element]:
    bottom = _HEIGHT - _BOTTOM
    line = element("line", class_="grid", x1=at, y1=_TOP, x2=at, y2=bottom)
    return [line, element("text", f"{value:g}", x=at, y=bottom + 16, text_anchor="middle")]


def _y_tick(at: float, value: float) -> list[Element]:
    line = element("line", class_="grid", x1=_LEFT, y1=at, x2=_WIDTH - _RIGHT, y2=at)
    return [line, element("text", f"{value:g}", x=_LEFT - 6, y=at + 4, text_anchor="end")]
