"""One car: its columns, the rules for its values, and when two cars are the same.

The check of an upload, the preprocessing job and the model's server all read cars with it. Standard library
only, Python 3.11 to 3.13.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from common.text import printable, quote

RAW_COLUMNS = (
    "cylinders", "displacement", "horsepower", "weight", "acceleration", "model_year", "origin", "car_name",
)  # fmt: skip
COLUMNS = ("mpg", *RAW_COLUMNS)
# The columns that a model is given.
CONTENT = RAW_COLUMNS[:-1]
ORIGINS = {"usa": 1, "europe": 2, "japan": 3}

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none", "<na>"})
# Matches each digit in only one way, so that even a field of 100,000 digits is read in linear time.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
LIMIT = 1_000_000


class BadCar(Exception):
    """A row is not a car; `problems` names each bad value and what was expected instead."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class BadValue(Exception):
    """A text does not fit its column; the message is what was expected."""


@dataclass(frozen=True, slots=True)
class Car:
    """One row in the units of Auto MPG. `model_year` counts from 1900; `origin` is 1, 2 or 3.

    `mpg` is None for a car to predict. `car_name` is a single line of printable characters.
    """

    mpg: float | None
    cylinders: int
    displacement: float
    horsepower: float | None
    weight: float
    acceleration: float
    model_year: int
    origin: int
    car_name: str


def read_car(fields: Mapping[str, str]) -> Car:
    """A car from the texts of its columns; `mpg` and `car_name` may be left out. Raises BadCar."""
    values: dict[str, Any] = {}
    problems = []
    for column in COLUMNS:
        text = fields.get(column, "")
        try:
            values[column] = read_value(column, text)
        except BadValue as expected:
            found = f"is {quote(text.strip())}" if text.strip() else "is missing"
            problems.append(f"{column} {found}; expected {expected}")
    if problems:
        raise BadCar(problems)
    return Car(**values)


def read_value(column: str, text: str) -> Any:
    """The value of one of COLUMNS, None for a missing one. Raises BadValue."""
    return _PARSERS[column](text.strip())


def looks_like_value(text: str) -> bool:
    text = text.strip()
    return text.lower() in MISSING or _NUMBER.fullmatch(text) is not None


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise BadValue("a number")
    value = float(text)
    if not 0 < value < LIMIT:
        raise BadValue(f"a number above 0 and below {LIMIT:,}")
    return value


def _number_or_missing(text: str) -> float | None:
    if text.lower() in MISSING:
        return None
    try:
        return _number(text)
    except BadValue as expected:
        raise BadValue(f'{expected} or "?"') from None


def _whole_number(text: str) -> int:
    value = _number(text)
    if value != int(value):
        raise BadValue("a whole number")
    return int(value)


def _year(text: str) -> int:
    """Auto MPG counts from 1900; some copies write the year in full."""
    expected = "a year such as 70 or 1970"
    if not _NUMBER.fullmatch(text) or not float(text).is_integer():
        raise BadValue(expected)
    year = int(float(text))
    if 1900 <= year < 2100:
        return year - 1900
    if not 0 <= year < 200:
        raise BadValue(expected)
    return year


def _origin(text: str) -> int:
    if code := ORIGINS.get(text.lower()):
        return code
    if _NUMBER.fullmatch(text) and float(text) in ORIGINS.values():
        return int(float(text))
    raise BadValue("1, 2, 3, usa, europe or japan")


def _single_line(text: str) -> str:
    return " ".join(printable(text).split())


_PARSERS: dict[str, Callable[[str], object]] = {
    "mpg": _number_or_missing,
    "cylinders": _whole_number,
    "displacement": _number,
    "horsepower": _number_or_missing,
    "weight": _number,
    "acceleration": _number,
    "model_year": _year,
    "origin": _origin,
    "car_name": _single_line,
}
