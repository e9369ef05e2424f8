"""The rules for an upload: a file of cars in any of the forms in which Auto MPG is published.

The quick check after the upload and the preprocessing job share them. Standard library only, Python 3.11 to
3.13.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import BinaryIO

from auto_mpg.car import COLUMNS, CONTENT, BadCar, Car, looks_like_value, read_car
from auto_mpg.original import ORIGINAL
from common.csv_rows import Layout, Row, Unreadable, read_part, read_rows
from common.text import quote, shown_name
from common.uploads import BadUpload, Counts, Problems

# 15 % of them are the test set: 3 of 20, the fewest rows whose errors have a meaningful spread.
FEWEST_LABELLED_ROWS = 20

LAYOUTS = [ORIGINAL]
EMPTY = "is empty; upload a CSV file with the columns of Auto MPG"

_CONTENT = attrgetter(*CONTENT)
_OTHER_NAMES = {"year": "model_year", "name": "car_name"}
_COLUMN_OF = {column.replace("_", ""): column for column in COLUMNS} | _OTHER_NAMES


@dataclass(frozen=True)
class Form:
    """How the rows of an upload are written: the column of each field, and the layout if it is no CSV."""

    columns: Sequence[str | None]
    layout: Layout | None


def check_cars(stream: BinaryIO, name: str, *, whole: bool = True) -> Counts:
    """Apply the rules of the preprocessing job. Raises BadUpload, whose message calls the file `name`.

    With `whole=False` the stream is the head of a longer file: a last line that is cut off does not matter,
    and the rules about the whole file (enough rows, labels, horsepowers) do not apply.
    """
    problems, tally = Problems(name), Tally()
    with collected(problems):
        rows = read_rows(stream, whole=whole, layouts=LAYOUTS)
        header = next(rows, None)
        if header is None and whole:
            raise Unreadable(EMPTY)
        columns = find_columns(header) if header else []
        for car in valid_cars(rows, columns, problems):
            tally.add(car)
    problems.refuse_any()
    if whole:
        tally.refuse_too_little(name)
    return Counts(tally.rows, tally.labelled)


def cars_of_part(content: bytes, line: int, form: Form, problems: Problems) -> list[Car]:
    """The valid cars of a part of an upload that begins with this line, and the problems of the others."""
    with collected(problems):
        return list(valid_cars(read_part(content, line, form.layout), form.columns, problems))
    return []


def valid_cars(rows: Iterable[Row], columns: Sequence[str | None], problems: Problems) -> Iterator[Car]:
    """The cars of these rows; what is wrong with the others is added to the problems. Raises Unreadable."""
    for row in rows:
        try:
            yield car_of_row(row, columns)
        except BadCar as bad:
            problems.add(f"line {row.line}", *bad.problems)


@contextmanager
def collected(problems: Problems) -> Iterator[None]:
    """Add an Unreadable that is raised here to the problems, as the last one."""
    try:
        yield
    except Unreadable as unreadable:
        place = None if unreadable.line is None else f"line {unreadable.line}"
        problems.add(place, str(unreadable))
        problems.stopped = True


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
class Tally:
    """What the rules about a whole upload count, in constant memory.

    `different` has contents of labelled cars.
    """

    rows: int = 0
    labelled: int = 0
    with_horsepower: int = 0
    different: set[Hashable] = field(default_factory=set)

    def add(self, car: Car) -> None:
        """Count a car."""
        self.rows += 1
        if car.mpg is not None:
            self.labelled += 1
            self.with_horsepower += car.horsepower is not None
            if len(self.different) < FEWEST_LABELLED_ROWS:
                self.different.add(_CONTENT(car))

    def merge(self, other: Tally) -> None:
        """Count what the other has counted."""
        self.rows += other.rows
        self.labelled += other.labelled
        self.with_horsepower += other.with_horsepower
        if len(self.different) < FEWEST_LABELLED_ROWS:
            self.different |= other.different

    def refuse_too_little(self, name: str) -> None:
        """Raise BadUpload, whose message calls the file `name`, if there is too little to learn from."""
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
