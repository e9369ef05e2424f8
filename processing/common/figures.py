"""The figures of an evaluation, which the review page draws for any workload. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from common import lenient


@dataclass(frozen=True)
class Scatter:
    """Dots, and the line on which they should lie."""

    kind: ClassVar[str] = "scatter"
    title: str
    caption: str
    x_label: str
    y_label: str
    points: Sequence[tuple[float, float]]
    line: Literal["diagonal", "zero"] | None = None


@dataclass(frozen=True)
class Bars:
    """Named values to compare."""

    kind: ClassVar[str] = "bars"
    title: str
    caption: str
    rows: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Matrix:
    """Counts by actual (row) and predicted (column) label."""

    kind: ClassVar[str] = "matrix"
    title: str
    caption: str
    x_label: str
    y_label: str
    labels: Sequence[str]
    counts: Sequence[Sequence[int]]


@dataclass(frozen=True)
class Picture:
    """A PNG in base64, and what it shows."""

    png: str
    caption: str


@dataclass(frozen=True)
class Pictures:
    """A row of small pictures."""

    kind: ClassVar[str] = "pictures"
    title: str
    caption: str
    pictures: Sequence[Picture]


Figure = Scatter | Bars | Matrix | Pictures


def read_figure(content: object) -> Figure | None:
    """A figure from JSON; None if it is malformed or of an unknown kind."""
    found = lenient.mapping(content)
    read = _FIGURES.get(lenient.text(found.get("kind")))
    if read is None:
        return None
    try:
        return read(found)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _scatter(found: Mapping[str, Any]) -> Figure:
    pairs = ((lenient.number(x), lenient.number(y)) for x, y in lenient.items(found["points"]))
    points = [(x, y) for x, y in pairs if x is not None and y is not None]
    line = found.get("line")
    return Scatter(
        *_titles(found),
        lenient.text(found["x_label"]),
        lenient.text(found["y_label"]),
        points,
        line if line in ("diagonal", "zero") else None,
    )


def _bars(found: Mapping[str, Any]) -> Figure:
    rows = [
        (lenient.text(name), number)
        for name, value in found["rows"]
        if (number := lenient.number(value)) is not None
    ]
    return Bars(*_titles(found), rows)


def _matrix(found: Mapping[str, Any]) -> Figure:
    labels = [lenient.text(label) for label in found["labels"]]
    counts = [[int(count) for count in row] for row in found["counts"]]
    if len(counts) != len(labels) or any(len(row) != len(labels) for row in counts):
        raise ValueError("the matrix is not square")
    return Matrix(
        *_titles(found), lenient.text(found["x_label"]), lenient.text(found["y_label"]), labels, counts
    )


def _pictures(found: Mapping[str, Any]) -> Figure:
    shown = [
        Picture(lenient.text(picture["png"]), lenient.text(picture["caption"]))
        for picture in found["pictures"]
    ]
    return Pictures(*_titles(found), shown)


_FIGURES = {"scatter": _scatter, "bars": _bars, "matrix": _matrix, "pictures": _pictures}


def _titles(found: Mapping[str, Any]) -> tuple[str, str]:
    return lenient.text(found["title"]), lenient.text(found.get("caption"))
