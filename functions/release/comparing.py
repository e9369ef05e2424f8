"""Compares an endpoint's answer with the evaluated model's, line by line: CSV and JSON lines alike."""

import csv
import json
import math
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from shared.telemetry import PublicError
from shared.text import one_line

_SHOWN = 60


class SmokeTestFailed(PublicError):
    """The endpoint does not answer as the evaluated model did. The text names the row."""


def largest_difference(expected: str, found: str, tolerance: float) -> float:
    """The largest difference of two numbers, relative to max(1, |expected|). Raises SmokeTestFailed."""
    wanted, answered = _lines(expected), _lines(found)
    if len(wanted) != len(answered):
        raise SmokeTestFailed(f"The endpoint answered {len(answered)} rows instead of {len(wanted)}.")
    largest = 0.0
    for row, (one, other) in enumerate(zip(wanted, answered, strict=True), start=1):
        difference = _difference(one, other)
        if not difference <= tolerance:
            raise SmokeTestFailed(
                f"Row {row} of the smoke test: the endpoint answered {_shown(other)}, "
                f"the evaluated model {_shown(one)}."
            )
        largest = max(largest, difference)
    return largest


def _lines(text: str) -> list[Sequence[Any]]:
    return [_values(line) for line in text.splitlines() if line.strip()]


def _values(line: str) -> Sequence[Any]:
    """The values of a line of JSON, with their places, or of CSV."""
    if line.lstrip()[:1] in ("{", "["):
        try:
            return list(_leaves(json.loads(line)))
        except (ValueError, RecursionError):
            return [line]
    return next(csv.reader([line]), [])


def _leaves(value: Any, place: str = "") -> Iterator[Any]:
    match value:
        case dict():
            for name in sorted(value):
                yield from _leaves(value[name], f"{place}.{name}")
        case list():
            for index, item in enumerate(value):
                yield from _leaves(item, f"{place}[{index}]")
        case _:
            yield place
            yield value


def _difference(expected: Sequence[Any], found: Sequence[Any]) -> float:
    return max((_apart(*pair) for pair in zip_longest(expected, found)), default=0.0)


def _apart(expected: Any, found: Any) -> float:
    """0 for equal values, the relative difference of two numbers, infinity for anything else."""
    if expected == found:
        return 0.0
    one, other = _number(expected), _number(found)
    if one is None or other is None or not (math.isfinite(one) and math.isfinite(other)):
        return math.inf
    return abs(one - other) / max(1.0, abs(one))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _shown(values: Sequence[Any]) -> str:
    text = ",".join(str(value) for value in values)
    return f'"{one_line(text, _SHOWN)}"'
