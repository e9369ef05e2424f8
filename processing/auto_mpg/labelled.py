"""Reads the prepared tables of labelled cars: the label first, then the row as a caller sends it.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

# Where the preparation puts the cars by which data and models are watched.
SAMPLE = "sample/sample.csv"

_LINES_A_REQUEST = 10_000


def labelled_requests(path: Path) -> Iterator[tuple[list[str], str]]:
    """The labels of some rows, and the rows as a caller of the model sends them."""
    lines = labelled_lines(path)
    while some := list(islice(lines, _LINES_A_REQUEST)):
        yield [label for label, _ in some], "".join(row for _, row in some)


def labelled_lines(path: Path) -> Iterator[tuple[str, str]]:
    """The label and the rest of each row. No field has a line end in it."""
    with path.open(encoding="utf-8", newline="\n") as stream:
        next(stream)
        for line in stream:
            label, _, row = line.partition(",")
            yield label, row
