"""Reads a file of cars to predict, such as `mpg predict` sends. Standard library only."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from auto_mpg.car import COLUMNS, CONTENT, RAW_COLUMNS, BadCar, looks_like_value
from auto_mpg.cars import car_of_row, find_columns
from auto_mpg.original import ORIGINAL
from common.csv_rows import Row, Unreadable, read_rows
from common.uploads import Problems

# Without a header: with mpg, as the model reads a car, and without its name.
_LAYOUTS: dict[int, Sequence[str]] = {
    len(columns): columns for columns in (COLUMNS, RAW_COLUMNS, RAW_COLUMNS[:-1])
}


def rows(path: Path, name: str) -> Iterator[str]:
    """Each car as the model reads it, from any form of an upload; header, mpg and name may be left out.

    Raises BadUpload, whose message calls the file `name`.
    """
    problems = Problems(name)
    lines: list[str] = []
    with path.open("rb") as stream:
        try:
            found = read_rows(stream, layouts=[ORIGINAL])
            columns, cars = _columns(found)
            for row in cars:
                try:
                    lines.append(_line(row, columns))
                except BadCar as bad:
                    problems.add(f"line {row.line}", *bad.problems)
        except Unreadable as unreadable:
            place = None if unreadable.line is None else f"line {unreadable.line}"
            problems.add(place, str(unreadable))
    problems.refuse_any()
    return iter(lines)


def _columns(found: Iterator[Row]) -> tuple[Sequence[str | None], Iterator[Row]]:
    """The columns of the rows, and the rows."""
    first = next(found, None)
    if first is None:
        raise Unreadable("is empty; send a car a line")
    if not any(map(looks_like_value, first.fields[: len(CONTENT) - 1])):
        return find_columns(first, needed=CONTENT), found
    count = len(first.fields)
    if count not in _LAYOUTS:
        raise Unreadable(f"has {count} fields; expected {','.join(RAW_COLUMNS)}, or a header", first.line)
    return _LAYOUTS[count], chain([first], found)


def _line(row: Row, columns: Sequence[str | None]) -> str:
    """The texts of RAW_COLUMNS as a line of CSV. Raises BadCar."""
    car = car_of_row(row, columns)
    texts = dict(zip(columns, row.fields, strict=True))
    line = io.StringIO()
    fields = [*(texts[column].strip() for column in CONTENT), car.car_name]
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()
