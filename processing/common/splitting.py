"""Splits rows into training, validation and test by their content. Standard library only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain


@dataclass(frozen=True)
class Split:
    """Row numbers, each row in one part."""

    train: list[int]
    validation: list[int]
    test: list[int]


def split(hashes: Sequence[str]) -> Split:
    """Rank the different contents by hash: the first 70 % are train, the next 15 % validation, the rest test.

    `hashes` has the hash of each row's content. Rows with the same content share a rank, so duplicates never
    part; the shares are exact in different contents. There is no seed, and the order of the rows does not
    matter. New rows shift the borders only a little, and validation lies between: a row that trained a model
    practically never tests a later one.
    """
    rows_of = defaultdict(list)
    for row, key in enumerate(hashes):
        rows_of[key].append(row)
    ranks = [rows_of[key] for key in sorted(rows_of)]
    train_end, validation_end = len(ranks) * 70 // 100, len(ranks) * 85 // 100
    parts = ranks[:train_end], ranks[train_end:validation_end], ranks[validation_end:]
    return Split(*(list(chain.from_iterable(part)) for part in parts))
