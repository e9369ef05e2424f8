"""Splits the bytes of an uploaded file into rows, each with the physical line on which it begins.

Knows encodings, line ends, quotes and archives, but not the meaning of a row. Standard library only.
"""

from __future__ import annotations

import _csv
import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

LONGEST_LINE = 1 << 20

_NOT_TEXT = {
    b"\x1f\x8b": "is a gzip archive; upload the CSV inside it",
    b"PK\x03\x04": "is a zip archive or an Excel workbook; upload the CSV inside it or save it as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "is an Excel workbook; save it as CSV UTF-8",
    b"PAR1": "is a Parquet file; save it as CSV UTF-8",
    b"\xff\xfe": "is encoded in UTF-16; save it as CSV UTF-8",
    b"\xfe\xff": "is encoded in UTF-16; save it as CSV UTF-8",
}


class Unreadable(Exception):
    """The rest of the file cannot be split into rows.

    `line` is the physical line, or None when the file as a whole is the problem.
    """

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.line = line


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    fields: list[str]


@dataclass(frozen=True)
class Layout:
    """Another file format, recognized by its first non-blank line: one row a line, without a header.

    `header` takes the header's place, as line 0. `split` splits a line into fields.
    """

    first_line: re.Pattern[str]
    header: Sequence[str]
    split: Callable[[str], list[str]]


@dataclass(frozen=True)
class Head:
    """The beginning of a file, up to its first row; `lines` is the number of physical lines that it takes."""

    header: Row
    lines: int
    layout: Layout | None


def read_rows(stream: BinaryIO, *, whole: bool = True, layouts: Sequence[Layout] = ()) -> Iterator[Row]:
    """The rows of a comma-separated file or of one of the layouts, the header first; blank rows are left out.

    With `whole=False` the stream is the head of a longer file: its last line, which may be cut off, is
    ignored.

    Calls only `stream.read(size)`, and reads no further than the rows that are consumed. Raises Unreadable.
    """
    layout, lines = _recognise(_readable_lines(_beginning(stream), whole), layouts)
    if layout:
        return itertools.chain([Row(0, list(layout.header))], _layout_rows(lines, layout))
    return _comma_rows(lines, whole)


def read_head(stream: BinaryIO, layouts: Sequence[Layout] = ()) -> Head | None:
    """What `read_rows` finds before the first row; None in an empty file. Raises Unreadable."""
    counted = _Counted(_readable_lines(_beginning(stream)))
    layout, lines = _recognise(counted, layouts)
    if layout:
        return Head(Row(0, list(layout.header)), 0, layout)
    header = next(_comma_rows(lines), None)
    return Head(header, counted.count, None) if header else None


def read_part(content: bytes, first_line: int, layout: Layout | None) -> Iterator[Row]:
    """The rows of a part of a file that begins with this line, at the start of a row. Raises Unreadable."""
    lines = _readable_lines(_decoded(io.BytesIO(content), "utf-8"), before=first_line - 1)
    if layout:
        return _layout_rows(lines, layout, first_line - 1)
    return _comma_rows(lines, before=first_line - 1)


def _recognise(lines: Iterator[str], layouts: Sequence[Layout]) -> tuple[Layout | None, Iterator[str]]:
    blank, first = _first_with_text(lines)
    # Blank lines are counted instead of kept: there can be millions.
    lines = itertools.chain(itertools.repeat("\n", blank), [first], lines)
    return next((layout for layout in layouts if layout.first_line.match(first)), None), lines


def _first_with_text(lines: Iterator[str]) -> tuple[int, str]:
    """The number of leading blank lines, and the line after them; "" if there is none."""
    blank = 0
    for line in lines:
        if line.strip():
            return blank, line
        blank += 1
    return blank, ""


def _layout_rows(lines: Iterator[str], layout: Layout, before: int = 0) -> Iterator[Row]:
    for number, line in enumerate(lines, start=before + 1):
        if line.strip():
            yield Row(number, layout.split(line))


def comma_reader(lines: Iterator[str]) -> _csv.Reader:
    """The csv module with the rules that hold for every comma-separated upload."""
    return csv.reader(lines, strict=True, skipinitialspace=True)


def _comma_rows(lines: Iterator[str], whole: bool = True, before: int = 0) -> Iterator[Row]:
    reader = comma_reader(lines)
    while True:
        line = before + reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if not whole and "unexpected end" in str(error):
                return
            raise Unreadable(_explain(error), line) from None
        if any(field.strip() for field in fields):
            yield Row(line, fields)


def _explain(error: csv.Error) -> str:
    if "unexpected end" in str(error):
        return "a quoted field begins here and never ends; close or remove the quote"
    if "field limit" in str(error):
        return f"a field is longer than {csv.field_size_limit():,} characters; is a quote left open?"
    return f"the quotes are broken ({error}); a quoted field must end before a comma or the end of the line"


def _readable_lines(text: io.TextIOBase, whole: bool = True, before: int = 0) -> Iterator[str]:
    lines = _physical_lines(text)
    for number, line in enumerate(lines if whole else _all_but_last(lines), start=before + 1):
        _refuse_unreadable(line, number)
        yield line


def _refuse_unreadable(line: str, number: int) -> None:
    if len(line) > LONGEST_LINE:
        raise Unreadable(f"longer than {LONGEST_LINE:,} characters; is this a CSV file?", number)
    if "\0" in line:
        raise Unreadable("contains a NUL byte; save the file as CSV UTF-8", number)
    try:
        line.encode()
    except UnicodeEncodeError as error:
        byte = ord(line[error.start]) & 0xFF
        raise Unreadable(f"byte 0x{byte:02x} is not UTF-8; save the file as CSV UTF-8", number) from None


def _beginning(stream: BinaryIO) -> io.TextIOWrapper:
    buffer = io.BufferedReader(_Readable(stream))
    head = buffer.peek(4)
    for magic, problem in _NOT_TEXT.items():
        if head.startswith(magic):
            raise Unreadable(problem)
    return _decoded(buffer, "utf-8-sig")


def _decoded(binary: BinaryIO | io.BufferedReader, encoding: str) -> io.TextIOWrapper:
    # Bytes that are not UTF-8 become lone surrogates, so that the refusal can name their line.
    return io.TextIOWrapper(binary, encoding=encoding, errors="surrogateescape", newline="")


def _physical_lines(text: io.TextIOBase) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE + 1):
        yield line


class _Counted:
    """Counts the lines that were taken."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.count = 0

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.count += 1
        return line


def _all_but_last(lines: Iterator[str]) -> Iterator[str]:
    for line, _ in itertools.pairwise(lines):
        yield line


class _Readable(io.RawIOBase):
    """Lets the io module read a stream without closing it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
