"""Splits rows into training, validation and test by their content. Standard library only."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Split:
    """Row numbers, each row in one part."""

    train: list[int]
    validation: list[int]
    test: list[int]


def split(hashes: Sequence[str]) -> Split:
    """Rank the distinct contents by hash: the first 70 % are train, the next 15 % validation, the rest test.

    `hashes` has the hash of each row's content. Rows with the same content share a rank, so duplicates
    stay together; the shares count distinct contents. The result depends neither on a seed nor on the order
    of the rows. New rows shift the borders only a little, and validation lies between the other two, so a row
    that trained one model practically never tests a later one.
    """
    different = sorted(set(hashes))
    if not different:
        return Split([], [], [])
    ranked = sorted(range(len(hashes)), key=hashes.__getitem__)
    validation, test = (
        bisect_left(ranked, different[len(different) * share // 100], key=hashes.__getitem__)
        for share in (70, 85)
    )
    return Split(ranked[:validation], ranked[validation:test], ranked[test:])
