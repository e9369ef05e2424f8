"""Reads the cars of an upload as columns of numbers, a block at a time.

The rules are those of `car.py` and `cars.py`. pyarrow reads a block in which it cannot but find the same
cars. Any other block is cut into smaller ones, and the smallest are read row by row, which also explains
their problems. So neither an unusual row nor a bad one slows down the reading of a large file.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from auto_mpg.car import LIMIT, MISSING, BadValue, read_value
from auto_mpg.cars import EMPTY, LAYOUTS, Form, cars_of_part, collected, find_columns
from auto_mpg.columns import NUMERIC, Cars, concatenate, to_cars
from common import blocks
from common.arrow import only_chunk, to_numpy
from common.blocks import Block, cut, offset_of_line
from common.coded import Numbers, encode
from common.csv_rows import Unreadable, read_head
from common.uploads import Problems

_FEWEST_BYTES = 1 << 14
_PIECES = 16
# If there is a line end in each window of this size, no line is longer than the row rules allow.
_WINDOW = 1 << 16
_OPTIONAL = ("mpg", "horsepower")
_MISSING = sorted({form for word in MISSING for form in (word, word.upper(), word.title(), "NaN")})
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Upload:
    """An upload whose header was read; `rows` is the rest of the file."""

    path: Path
    name: str
    form: Form
    rows: Block

    def blocks(self, size: int) -> Iterator[Block]:
        """The rows, cut into blocks of about this many bytes."""
        with self.path.open("rb") as stream:
            yield from cut(stream, self.rows, size, quoted=self.form.layout is None)

    def read(self, block: Block, problems: Problems, *, named: bool) -> Cars:
        """The cars of a block. The problems of its other rows are added to `problems`."""
        content = block.read(self.path)
        cars = read_columns(content, self.form, named=named, has_plain_quotes=block.has_plain_quotes)
        return _read(content, block.line, self.form, problems, named) if cars is None else cars


def open_upload(path: Path, name: str) -> Upload:
    """Read the header of an upload. Raises BadUpload, whose message calls it `name`."""
    problems = Problems(name)
    with path.open("rb") as stream, collected(problems):
        head = read_head(stream, LAYOUTS)
        if head is None:
            raise Unreadable(EMPTY)
        form = Form(tuple(find_columns(head.header)), head.layout)
        start = offset_of_line(path, head.lines)
        # pyarrow would read past a byte order mark, too, but only past one.
        return Upload(path, name, form, Block(start, path.stat().st_size, head.lines + 1))
    problems.refuse_any()
    raise AssertionError("a header without a problem was not read")


def _read(content: bytes, line: int, form: Form, problems: Problems, named: bool) -> Cars:
    """The cars of a block that as a whole cannot be read by columns."""
    if len(content) <= _FEWEST_BYTES:
        return to_cars(cars_of_part(content, line, form, problems))
    size = max(len(content) // _PIECES, _FEWEST_BYTES)
    whole = Block(0, len(content), line)
    pieces = list(cut(io.BytesIO(content), whole, size, quoted=form.layout is None))
    if pieces == [whole]:
        return to_cars(cars_of_part(content, line, form, problems))
    read = []
    for piece in pieces:
        if problems.suffice:
            problems.stopped = True
            break
        part = content[piece.start : piece.end]
        cars = read_columns(part, form, named=named, has_plain_quotes=piece.has_plain_quotes)
        read.append(_read(part, piece.line, form, problems, named) if cars is None else cars)
    return concatenate(read)


def read_columns(content: bytes, form: Form, *, named: bool, has_plain_quotes: bool = False) -> Cars | None:
    """The cars of rows that everyone reads in the same way and that have no problem; otherwise None."""
    if form.layout or not _is_plain(content, has_plain_quotes):
        return None
    try:
        table = _parse(content, form, named)
        columns = [encode(_CONVERT.get(column, _numbers)(table, column)) for column in NUMERIC]
        return Cars(columns, only_chunk(table.column("car_name")) if named else None)
    except (pa.ArrowInvalid, BadValue):
        return None


def _is_plain(content: bytes, has_plain_quotes: bool) -> bool:
    if b"\0" in content or content.startswith(_BOM):
        return False
    if not has_plain_quotes and b'"' in content and not blocks.has_plain_quotes(content):
        return False
    windows = range(0, len(content) - _WINDOW, _WINDOW)
    if any(content.find(b"\n", start, start + _WINDOW) < 0 for start in windows):
        return False
    try:
        return content.isascii() or bool(content.decode())
    except UnicodeDecodeError:
        return False


def _parse(content: bytes, form: Form, named: bool) -> pa.Table:
    kinds = dict.fromkeys(NUMERIC, pa.float64())
    kinds["origin"] = pa.dictionary(pa.int32(), pa.string())
    if named:
        kinds["car_name"] = pa.string()
    # Columns that nobody asked for need some name, too.
    names = [column or f"ignored {place}" for place, column in enumerate(form.columns)]
    return csv.read_csv(
        pa.BufferReader(content),
        csv.ReadOptions(use_threads=False, block_size=len(content) + 1, column_names=names),
        csv.ParseOptions(newlines_in_values=b'"' in content),
        csv.ConvertOptions(
            column_types=kinds,
            include_columns=list(kinds),
            null_values=_MISSING,
            # The rules have been applied to the whole block.
            check_utf8=False,
        ),
    )


def _numbers(table: pa.Table, column: str) -> Numbers:
    array = only_chunk(table.column(column))
    values: Numbers = to_numpy(array)
    # A text such as "nan" or "inf" is a number for pyarrow, and is out of this range.
    if array.null_count:
        valid = np.count_nonzero((values > 0) & (values < LIMIT))
        is_valid = column in _OPTIONAL and valid + array.null_count == len(values)
    else:
        is_valid = not len(values) or bool(values.min() > 0 and values.max() < LIMIT)
    if not is_valid:
        raise BadValue("a number")
    return values


def _whole_numbers(table: pa.Table, column: str) -> Numbers:
    return _refuse_fractions(_numbers(table, column))


def _years(table: pa.Table, column: str) -> Numbers:
    array = only_chunk(table.column(column))
    values: Numbers = to_numpy(array)
    is_full = (values >= 1900) & (values < 2100)
    if array.null_count or not (is_full | ((values >= 0) & (values < 200))).all():
        raise BadValue("a year")
    # Adding 0 makes a 0 of -0.
    return _refuse_fractions(np.where(is_full, values - 1900, values) + 0.0)


def _origins(table: pa.Table, column: str) -> Numbers:
    array = only_chunk(table.column(column))
    codes = np.array([read_value(column, text) for text in array.dictionary.to_pylist()], np.float64)
    values: Numbers = codes[to_numpy(array.indices)]
    return values


def _refuse_fractions(values: Numbers) -> Numbers:
    if not (values == np.floor(values)).all():
        raise BadValue("a whole number")
    return values


_CONVERT = {"cylinders": _whole_numbers, "model_year": _years, "origin": _origins}
