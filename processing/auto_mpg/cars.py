"""The rules for an upload: a file of cars in any of the forms in which Auto MPG is published.

The quick check after the upload and the preprocessing job share them. Standard library only, Python 3.11 to
3.13.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from auto_mpg.car import COLUMNS, BadCar, Car, content_hash, looks_like_value, read_car
from auto_mpg.original import ORIGINAL
from common.csv_rows import Row, Unreadable, read_rows
from common.text import quote, shown_name
from common.uploads import BadUpload, Counts, Problems

# 15 % of them are the test set: 3 of 20, the fewest rows whose errors have a meaningful spread.
FEWEST_LABELLED_ROWS = 20

_OTHER_NAMES = {"year": "model_year", "name": "car_name"}
_COLUMN_OF = {column.replace("_", ""): column for column in COLUMNS} | _OTHER_NAMES


def read_cars(stream: BinaryIO, name: str) -> list[Car]:
    """All cars of an upload. Raises BadUpload, whose message calls the file `name`."""
    tally = _Tally()
    cars = [tally.add(car) for car in _valid_cars(stream, name, whole=True)]
    tally.refuse_too_little(name)
    return cars


def check_cars(stream: BinaryIO, name: str, *, whole: bool = True) -> Counts:
    """Apply the rules of `read_cars` without keeping the cars. Raises BadUpload.

    With `whole=False` the stream is the head of a longer file: a last line that is cut off does not matter,
    and the rules about the whole file (enough rows, labels, horsepowers) do not apply.
    """
    tally = _Tally()
    for car in _valid_cars(stream, name, whole=whole):
        tally.add(car)
    if whole:
        tally.refuse_too_little(name)
    return Counts(tally.rows, tally.labelled)


def _valid_cars(stream: BinaryIO, name: str, whole: bool) -> Iterator[Car]:
    problems = Problems(name)
    try:
        rows = read_rows(stream, whole=whole, layouts=[ORIGINAL])
        header = next(rows, None)
        if header is None and whole:
            raise Unreadable("is empty; upload a CSV file with the columns of Auto MPG")
        columns = find_columns(header) if header else []
        for row in rows:
            try:
                yield car_of_row(row, columns)
            except BadCar as bad:
                problems.add(f"line {row.line}", *bad.problems)
    except Unreadable as unreadable:
        place = None if unreadable.line is None else f"line {unreadable.line}"
        problems.add(place, str(unreadable))
    problems.refuse_any()


def find_columns(header: Row, needed: Sequence[str] = COLUMNS) -> list[str | None]:
    """The column of each field of a row; None for fields to ignore. Raises Unreadable."""
    columns = [_column_of(field) for field in header.fields]
    for column in COLUMNS:
        same = [
            quote(field.strip())
            for field, found in zip(header.fields, columns, strict=True)
            if found == column
        ]
        if len(same) > 1:
            raise Unreadable(
                f"the columns {' and '.join(same[:3])} mean the same, {column}; keep one of them", header.line
            )
    if missing := [column for column in needed if column not in columns]:
        raise Unreadable(_explain_missing(header.fields, missing), header.line)
    return columns


def _column_of(field: str) -> str | None:
    return _COLUMN_OF.get(re.sub(r"[^a-z0-9]", "", field.lower()))


def _explain_missing(header: list[str], missing: list[str]) -> str:
    for separator, plural in {";": "semicolons", "\t": "tabs", "|": "bars"}.items():
        if sum(_column_of(field) is not None for field in ",".join(header).split(separator)) > 1:
            return f"the columns are separated by {plural}; save the file with commas"
    if all(looks_like_value(field) for field in header[:8]):
        return f"the column names are missing; begin the file with the line {','.join(COLUMNS)}"
    if len(missing) == 1:
        return f"the column {missing[0]} is missing; add it"
    return f"the columns {', '.join(missing)} are missing; add them"


def car_of_row(row: Row, columns: Sequence[str | None]) -> Car:
    """The car of a row whose fields have these columns. Raises BadCar."""
    if len(row.fields) != len(columns):
        raise BadCar([f"has {len(row.fields)} fields; expected {len(columns)}"])
    return read_car({column: text for column, text in zip(columns, row.fields, strict=True) if column})


@dataclass
class _Tally:
    """Counts the cars of an upload in constant memory."""

    rows: int = 0
    labelled: int = 0
    with_horsepower: int = 0
    different: set[str] = field(default_factory=set)

    def add(self, car: Car) -> Car:
        self.rows += 1
        if car.mpg is not None:
            self.labelled += 1
            self.with_horsepower += car.horsepower is not None
            if len(self.different) < FEWEST_LABELLED_ROWS:
                self.different.add(content_hash(car))
        return car

    def refuse_too_little(self, name: str) -> None:
        if problem := self._problem():
            raise BadUpload(f"{shown_name(name)} {problem}")

    def _problem(self) -> str | None:
        if not self.rows:
            return "has column names but no rows; add the cars"
        if not self.labelled:
            return "has no row with mpg; a model can only learn from cars whose mpg is known"
        if not self.with_horsepower:
            return (
                "has no row with mpg and horsepower; what is missing is filled in from the rows that have it"
            )
        if len(self.different) < FEWEST_LABELLED_ROWS:
            return (
                f"has too few different rows with mpg ({len(self.different)}); "
                f"at least {FEWEST_LABELLED_ROWS} are needed to train, validate and test a model"
            )
        return None
