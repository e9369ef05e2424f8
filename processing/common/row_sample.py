"""A random sample of rows that come one block after the other."""

from __future__ import annotations

import numpy as np

from common.baseline import SAMPLE
from common.seen import Block, Row

# Of texts in the sample. Rows are numbers and small pictures; far larger ones make the sample smaller.
MOST_CHARACTERS = 256 << 20


class RowSample:
    """At most `size` rows, each row with the same probability; the same ones of the same files."""

    def __init__(self, size: int = SAMPLE, most_characters: int = MOST_CHARACTERS) -> None:
        self._size = size
        self._most_characters = most_characters
        self._random = np.random.default_rng(0)
        # Rows that draw this or more are not among the smallest draws.
        self._limit = 1.0
        self._kept: list[tuple[float, Row]] = []
        self._characters = 0

    def add(self, block: Block) -> None:
        """Offer the rows of a block."""
        draws = self._random.random(len(block.rows))
        for position in np.flatnonzero(draws < self._limit).tolist():
            row = block.rows[position]
            self._kept.append((float(draws[position]), row))
            self._characters += len(row.request)
        if len(self._kept) >= 2 * self._size or self._characters >= 2 * self._most_characters:
            self._shrink()

    def rows(self) -> list[Row]:
        """The sample."""
        self._shrink()
        return [row for _, row in self._kept]

    def _shrink(self) -> None:
        while self._characters > self._most_characters and len(self._kept) > 1:
            self._size = len(self._kept) // 2
            self._keep_smallest()
        self._keep_smallest()

    def _keep_smallest(self) -> None:
        if len(self._kept) > self._size:
            self._kept.sort(key=lambda kept: kept[0])
            self._limit = self._kept[self._size][0]
            del self._kept[self._size :]
            self._characters = sum(len(row.request) for _, row in self._kept)
