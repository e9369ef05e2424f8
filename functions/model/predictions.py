"""The first lines of a batch transform's output as a table, in CSV or JSON lines, the prediction first."""

import base64
import binascii
import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.text import number, one_line

_ROWS_SHOWN = 6
_COLUMNS_SHOWN = 24
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_LARGEST_PICTURE = 200_000
# The key of the prediction in joined JSON output.
_OUTPUT = "SageMakerOutput"


@dataclass(frozen=True)
class Cell:
    """A cell of the table: a text, or a PNG in base64."""

    text: str = ""
    png: str = ""


@dataclass(frozen=True)
class Table:
    """Headings, and rows with a cell for each."""

    headings: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()


def parse_predictions(text: str, columns: Sequence[str], *, cut_off: bool = False) -> Table:
    """Read the output of a batch transform; `columns` names those of a CSV line, the prediction last.

    Omits unreadable lines and, of a text that was cut off, the last line.
    """
    whole = text[: text.rfind("\n") + 1] if cut_off else text
    if whole.lstrip().startswith("{"):
        return _table_of_objects(list(_objects(whole))[:_ROWS_SHOWN])
    return _table_of_lines(whole, columns)


def picture(text: object) -> str:
    """The text if it is a PNG in base64, else empty."""
    if not isinstance(text, str) or len(text) > _LARGEST_PICTURE or not _BASE64.fullmatch(text):
        return ""
    try:
        return text if base64.b64decode(text, validate=True).startswith(b"\x89PNG\r\n\x1a\n") else ""
    except binascii.Error:
        return ""


def _table_of_lines(text: str, columns: Sequence[str]) -> Table:
    try:
        lines = [line for line in csv.reader(io.StringIO(text)) if line and len(line) == len(columns)]
    except csv.Error:
        return Table()
    *raw, predicted = [one_line(name, 60) for name in columns] or [""]
    rows = [[_cell(line[-1]), *(Cell(one_line(value, 60)) for value in line[:-1])] for line in lines]
    return Table((predicted, *raw), rows[:_ROWS_SHOWN]) if rows else Table()


def _table_of_objects(objects: Sequence[Mapping[str, Any]]) -> Table:
    nested = {name for found in objects for name, value in found.items() if isinstance(value, list | dict)}
    names = list(dict.fromkeys(name for found in objects for name in found))
    # A list takes much room and says little: after what a person reads.
    names = sorted(names, key=lambda name: name in nested)[:_COLUMNS_SHOWN]
    rows = [[_cell(found.get(name, "")) for name in names] for found in objects]
    return Table([one_line(name, 60) for name in names], rows)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            output = found.pop(_OUTPUT, {})
            yield {**(output if isinstance(output, dict) else {"prediction": output}), **found}


def _cell(value: object) -> Cell:
    """A picture, a rounded number, or any other value as text."""
    if png := picture(value):
        return Cell(png=png)
    try:
        shown = number(float(value)) if isinstance(value, str | int | float) else json.dumps(value)
    except (ValueError, OverflowError, RecursionError):
        shown = str(value)
    return Cell(one_line(shown, 60))
