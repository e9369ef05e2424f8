"""A few test rows, and whether a released model answers them as the evaluated one did.

Standard library only.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from itertools import accumulate
from types import ModuleType
from typing import Any

from common import lenient
from common.evaluation import SmokeTest

ROWS = 20
# Evaluations have at most a million bytes.
LARGEST_REQUEST = 200_000
TOLERANCE = 1e-6
_SHOWN = 40


class AnswersDiffer(Exception):
    """An answer is not the expected one; `str(error)` names the line and the values."""


def smoke_test(
    inference: ModuleType,
    model: object,
    rows: Sequence[str],
    content_type: str,
    accept: str,
    tolerance: float = TOLERANCE,
) -> SmokeTest:
    """The first ROWS of these rows, one line each, with the answer of a workload's `inference` module.

    There are fewer if they are longer than LARGEST_REQUEST. `model` is the result of the module's `model_fn`.
    """
    lines = [row.rstrip("\r\n") + "\n" for row in rows[:ROWS]]
    ends = accumulate(map(len, lines))
    lines = [line for line, end in zip(lines, ends, strict=True) if end <= LARGEST_REQUEST] or lines[:1]
    request = "".join(lines)
    answer, _ = inference.output_fn(
        inference.predict_fn(inference.input_fn(request, content_type), model), accept
    )
    return SmokeTest(content_type, accept, len(lines), request, answer, tolerance)


def compare_answers(expected: str, found: str, tolerance: float) -> float:
    """The largest difference between two answers of CSV or JSON lines, relative to max(1, |expected|).

    Numbers may differ by the tolerance; everything else must be equal, and NaN equals nothing.
    Raises AnswersDiffer.
    """
    wanted, given = expected.splitlines(), found.splitlines()
    if len(wanted) != len(given):
        raise AnswersDiffer(f"the answer has {len(given)} lines; expected {len(wanted)}")
    # Of millions of lines, most are the same text, which needs no parsing unless it says NaN.
    pairs = enumerate(zip(wanted, given, strict=True), start=1)
    different = [(n, a, b) for n, (a, b) in pairs if a != b or "nan" in a.lower()]
    differences = [_difference(_parse(a), _parse(b), f"line {n}", tolerance) for n, a, b in different]
    return max(differences, default=0.0)


def _parse(line: str) -> Any:
    """JSON if the line is an object or a list, otherwise the cells of CSV, numbers as such."""
    try:
        if line.lstrip().startswith(("{", "[")):
            return json.loads(line)
        return [_number_or_text(cell) for cell in next(csv.reader([line], strict=True), [])]
    except (ValueError, RecursionError, csv.Error):
        return line


def _number_or_text(cell: str) -> float | str:
    try:
        return float(cell)
    except ValueError:
        return cell


def _difference(expected: Any, found: Any, place: str, tolerance: float) -> float:
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        parts = [(expected[key], found[key], f"{place}, {key}") for key in expected]
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True), start=1)
        # A line with one value needs no more than its number.
        parts = [(a, b, f"{place}, value {n}" if len(expected) > 1 else place) for n, (a, b) in pairs]
    else:
        return _leaf_difference(expected, found, place, tolerance)
    return max((_difference(a, b, where, tolerance) for a, b, where in parts), default=0.0)


def _leaf_difference(expected: Any, found: Any, place: str, tolerance: float) -> float:
    numbers = lenient.number(expected), lenient.number(found)
    if numbers[0] is None or numbers[1] is None:
        if type(expected) is type(found) and expected == found:
            return 0.0
        raise AnswersDiffer(f"{place}: {_short(found)} instead of {_short(expected)}")
    difference = abs(numbers[1] - numbers[0]) / max(1.0, abs(numbers[0]))
    if not difference <= tolerance:
        raise AnswersDiffer(
            f"{place}: {_short(found)} instead of {_short(expected)}; more than {tolerance:g} apart"
        )
    return difference


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    printable = "".join(character if character.isprintable() else " " for character in text)
    return printable if len(printable) <= _SHOWN else f"{printable[: _SHOWN - 3]}..."
