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
    """The labels of some rows, and the rows as a caller of the model sends them: a row on each line."""
    with path.open(encoding="utf-8", newline="\n") as stream:
        next(stream)
        while lines := list(islice(stream, _LINES_A_REQUEST)):
            ends = [line.index(",") for line in lines]
            labels = [line[:end] for line, end in zip(lines, ends, strict=True)]
            yield labels, "".join([line[end + 1 :] for line, end in zip(lines, ends, strict=True)])
