"""What an upload must be: a CSV file of irises, whose species may be left empty. Standard library only."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from common.text import quote
from common.uploads import BadUpload, Counts, Problems

MEASURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
COLUMNS = (*MEASURES, "species")
SPECIES = ("setosa", "versicolor", "virginica")
FEWEST_LABELLED = 30


@dataclass(frozen=True)
class Iris:
    """Sizes in centimetres as the file has them; no species where it is to be predicted."""

    measures: tuple[str, ...]
    species: str


def check(stream: BinaryIO, name: str, *, whole: bool = True) -> Counts:
    """Count the irises of a file, or of its head. Raises BadUpload, which calls the file `name`."""
    irises = read_irises(stream, name, whole=whole)
    return Counts(len(irises), sum(bool(iris.species) for iris in irises))


def read_irises(stream: BinaryIO, name: str, *, whole: bool = True) -> list[Iris]:
    """All irises of an upload. Raises BadUpload."""
    problems = Problems(name)
    irises = []
    for number, fields in _rows(stream, name, whole):
        found = [*_problems(fields)]
        problems.add(f"line {number}", *found)
        if not found:
            irises.append(Iris(tuple(fields[:-1]), fields[-1]))
    problems.refuse_any()
    if whole and sum(bool(iris.species) for iris in irises) < FEWEST_LABELLED:
        problems.add(None, f"has fewer than {FEWEST_LABELLED} rows with a species; add more")
        problems.refuse_any()
    return irises


def _rows(stream: BinaryIO, name: str, whole: bool) -> Iterator[tuple[int, list[str]]]:
    """The rows with their lines. The last line of a head may be cut off, so it is left out."""
    lines = io.StringIO(stream.read().decode("utf-8-sig", "replace")).readlines()
    rows = csv.reader(lines if whole else lines[:-1])
    try:
        header = next(rows, [])
        if tuple(header) != COLUMNS:
            raise BadUpload(f"{name}, line 1: the columns must be {','.join(COLUMNS)}")
        for row in rows:
            yield rows.line_num, row
    except csv.Error as error:
        raise BadUpload(f"{name}, line {rows.line_num}: {error}") from None


def _problems(fields: list[str]) -> Iterator[str]:
    if len(fields) != len(COLUMNS):
        yield f"has {len(fields)} fields; expected {len(COLUMNS)}"
        return
    for column, text in zip(MEASURES, fields[:-1], strict=True):
        if not is_size(text):
            yield f"{column} is {quote(text)}; expected a number of centimetres"
    if fields[-1] not in ("", *SPECIES):
        yield f"species is {quote(fields[-1])}; expected {', '.join(SPECIES)} or nothing"


def is_size(text: str) -> bool:
    """Whether the text is a length above zero."""
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False
