"""Reads the cars of an upload as a table, one column at a time.

The rules are those of `car.py` and `cars.py`. A file of a million cars holds few different texts, so each
rule is applied only once to each different text of a column. This requires a file whose lines split into
fields unambiguously. Any other file, and any file with a problem, is read row by row, which explains the
problem.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from auto_mpg.car import COLUMNS, CONTENT, BadValue, Car, read_value
from auto_mpg.cars import FEWEST_LABELLED_ROWS, find_columns, read_cars
from common.csv_rows import Unreadable, read_rows

_TYPES = dict.fromkeys(COLUMNS, np.float64) | {
    **dict.fromkeys(("cylinders", "model_year", "origin"), np.int64),
    "car_name": np.object_,
}
# A field that is quoted from its first to its last character, or has no quotes in it.
_FIELD = r'(?:"(?:[^"\r\n\0]|"")*+"|[^",\r\n\0]*+)'
# The row rules refuse a longer field.
_LONGEST_LINE = 1 << 17


def read_table(upload: Path, name: str) -> pd.DataFrame:
    """All cars of an upload in the order of the file: COLUMNS, with NaN for missing values.

    Raises BadUpload, whose message calls the file `name`.
    """
    table = read_columns(upload)
    if table is not None and _is_enough(table):
        return table
    with upload.open("rb") as stream:
        return to_table(read_cars(stream, name))


def to_table(cars: Iterable[Car]) -> pd.DataFrame:
    """The same cars as a table."""
    table = pd.DataFrame(map(attrgetter(*COLUMNS), cars), columns=list(COLUMNS), dtype=object)
    return table.astype(_TYPES)


def read_columns(upload: Path) -> pd.DataFrame | None:
    """The cars of an unambiguous file without problems; None for any other file, good or bad."""
    try:
        with upload.open("rb") as binary:
            header = next(read_rows(binary), None)
        if header is None or header.line != 1:
            return None
        columns = find_columns(header)
        with upload.open(encoding="utf-8-sig", newline="") as text:
            if not _is_plain(text, len(columns)):
                return None
        texts = _read_texts(upload, columns)
        return pd.DataFrame({column: _read_values(column, texts[column]) for column in COLUMNS})
    except (Unreadable, UnicodeDecodeError, BadValue, pd.errors.EmptyDataError):
        return None


def map_different(values: pd.Series, change: Callable[[Any], Any], kind: Any = np.object_) -> NDArray[Any]:
    """Apply `change` to each value, calling it once for each different value."""
    codes, different = pd.factorize(values, use_na_sentinel=False)
    return np.array([change(value) for value in different.tolist()], dtype=kind)[codes]


def _is_plain(text: TextIO, fields: int) -> bool:
    """Whether each line is empty or a row of this many fields."""
    row = re.compile(rf"(?:{_FIELD}(?:,{_FIELD}){{{fields - 1}}})?(?:\r?\n)?")
    lines = iter(partial(text.readline, _LONGEST_LINE), "")
    return all(len(line) < _LONGEST_LINE and row.fullmatch(line) for line in lines)


def _read_texts(upload: Path, columns: Sequence[str | None]) -> pd.DataFrame:
    positions = {position: column for position, column in enumerate(columns) if column}
    texts = pd.read_csv(
        upload, header=None, skiprows=1, usecols=list(positions), dtype=str, na_filter=False, encoding="utf-8"
    )
    return texts.rename(columns=positions)


def _read_values(column: str, texts: pd.Series) -> NDArray[Any]:
    return map_different(texts, partial(read_value, column), _TYPES[column])


def _is_enough(table: pd.DataFrame) -> bool:
    labelled = table[table["mpg"].notna()]
    different = labelled.drop_duplicates(list(CONTENT))
    return len(different) >= FEWEST_LABELLED_ROWS and bool(labelled["horsepower"].notna().any())
