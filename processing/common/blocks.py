"""Cuts a file into blocks of whole rows, so that each can be read by itself, on any machine.

A line end inside quotes does not end a row, so no block can be read before the quotes of all earlier ones are
counted. That takes one pass, at the speed of the disk. Where quotes occur that the csv module may understand
in another way than as pairs, it decides itself where the rows end.
"""

from __future__ import annotations

import csv
import mmap
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from common.csv_rows import comma_reader

_QUOTE, _LINE_END = b'"\n'
_NEIGHBOURS = np.isin(np.arange(256), list(b',\r\n"'))
# No valid row is as long. Whatever reads the block tells the reason.
_LONGEST_ROW = 1 << 25
_LINE = re.compile(rb"[^\r\n]*(?:\r\n?|\n)")


@dataclass(frozen=True, slots=True)
class Block:
    """The bytes from `start` to `end` of a file; `line` is the number of the first line in it.

    `has_plain_quotes` says that the function of this name is known to be true of them.
    """

    start: int
    end: int
    line: int
    has_plain_quotes: bool = False

    def read(self, path: Path) -> bytes:
        """Its content."""
        with path.open("rb") as stream:
            stream.seek(self.start)
            return stream.read(self.end - self.start)


def cut(stream: BinaryIO, first: Block, size: int, *, quoted: bool = True) -> Iterator[Block]:
    """Cut a block at ends of rows into smaller ones, most of them slightly below `size` bytes.

    With `quoted=False` every line is a row. If the quotes are broken or a row does not end within 32 MiB, the
    last block ends there, and its reader has to refuse it.
    """
    start, line, until = first.start, first.line, first.start
    while until < first.end:
        until = min(until + size, first.end)
        stream.seek(start)
        content = stream.read(until - start)
        end, is_plain = (until - start, False) if until == first.end else _last_row_end(content, quoted)
        if end is None or (end == 0 and until - start > _LONGEST_ROW):
            yield Block(start, until, line)
            return
        if end:
            yield Block(start, start + end, line, is_plain)
            line += _count_lines(content, end)
            start += end


def group(blocks: Iterable[Block], size: int) -> Iterator[tuple[Block, ...]]:
    """So many blocks at a time."""
    remaining = iter(blocks)
    while blocks_of_group := tuple(islice(remaining, size)):
        yield blocks_of_group


def has_plain_quotes(content: bytes | memoryview) -> bool:
    """Whether each quoted field is quoted from its first to its last character, and no other has a quote.

    Then any reader of CSV finds the same fields, and rows end where the number of quotes before is even. Long
    fields do not count as plain, since the csv module refuses them.
    """
    bytes_ = np.frombuffer(content, np.uint8)
    places = np.flatnonzero(bytes_ == _QUOTE)
    if len(places) % 2 or not len(places):
        return not len(places)
    # A quote inside of a field is written as two, of which one closes and the other one opens.
    opening, closing = places[::2], places[1::2]
    before, after = bytes_.take(opening - 1), bytes_.take(closing + 1, mode="clip")
    # The first and the last byte have no neighbour, which is as good as a line end.
    before[opening == 0] = after[closing == len(bytes_) - 1] = _LINE_END
    if not (_NEIGHBOURS[before].all() and _NEIGHBOURS[after].all()):
        return False
    lengths = closing[after != _QUOTE] - opening[before != _QUOTE]
    return bool((lengths < csv.field_size_limit()).all())


def offset_of_line(path: Path, lines: int) -> int:
    """Where the line begins that has so many lines before it."""
    if lines == 0:
        return 0
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        place = 0
        for _ in range(lines):
            match = _LINE.match(content, place)
            if match is None:
                return len(content)
            place = match.end()
        return place


def _last_row_end(content: bytes, quoted: bool) -> tuple[int | None, bool]:
    """Where the last row ends that is surely complete, and whether the quotes before are plain.

    0 if there is none, None if the quotes are broken.
    """
    if not quoted or not (quotes := _count(content, _QUOTE)):
        return _last_line_end(content, len(content)), quoted
    end = _even_line_end(content, quotes)
    if end and has_plain_quotes(memoryview(content)[:end]):
        return end, True
    return _exact_row_end(content), False


def _last_line_end(content: bytes, before: int) -> int:
    # A carriage return at the end may be half of a line end.
    return content.rfind(b"\n", 0, before) + 1 or content.rfind(b"\r", 0, before - 1) + 1


def _even_line_end(content: bytes, quotes: int) -> int:
    end = _last_line_end(content, len(content))
    after = content.count(b'"', end)
    while end and (quotes - after) % 2:
        quote = content.rfind(b'"', 0, end)
        end = _last_line_end(content, quote)
        after += 1 + content.count(b'"', end, quote)
    return end


def _exact_row_end(content: bytes) -> int | None:
    lines = content.splitlines(keepends=True)[:-1]
    reader = comma_reader(line.decode("utf-8", "surrogateescape") for line in lines)
    complete = 0
    try:
        for _ in reader:
            complete = reader.line_num
    except csv.Error as error:
        if "unexpected end" not in str(error):
            return None
    return sum(map(len, lines[:complete]))


def _count_lines(content: bytes, end: int) -> int:
    lines = _count(memoryview(content)[:end], _LINE_END)
    if content.find(b"\r", 0, end) >= 0:
        lines += content.count(b"\r", 0, end) - content.count(b"\r\n", 0, end)
    return lines


def _count(content: bytes | memoryview, byte: int) -> int:
    """As bytes.count, but ten times as fast."""
    return int(np.count_nonzero(np.frombuffer(content, np.uint8) == byte))
