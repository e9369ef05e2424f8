"""A column of numbers as small codes into a table of values, such as 13.7, 307 and missing.

The numbers of most data have few digits. So they take a fourth of the memory or less, and what depends on a
value alone, such as its text, is computed once for each value of the table and not for each row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

# The values of a table are multiples of one of these fractions.
_FRACTIONS = (1, 10, 100)
_LONGEST = 1 << 16


@dataclass(frozen=True)
class Coded:
    """Row i has the number `values[codes[i]]`, NaN if it is missing.

    The table has at most as many values as there are rows. Some of them may be of no row, or come twice.
    """

    values: Numbers
    codes: NDArray[np.unsignedinteger[Any]]

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: NDArray[np.intp]) -> Coded:
        codes = self.codes.take(rows)
        return Coded(self.values, codes) if len(self.values) <= len(rows) else as_table(self.values[codes])

    @property
    def numbers(self) -> Numbers:
        """The number of each row."""
        return self.values.take(self.codes)

    @property
    def is_missing(self) -> NDArray[np.bool_]:
        """Whether the number of each row is missing."""
        return np.isnan(self.values).take(self.codes)

    def counted(self) -> tuple[Numbers, NDArray[np.int64]]:
        """The values that rows have, except for missing ones, and how many rows have each."""
        counts = np.bincount(self.codes, minlength=len(self.values))
        found = np.flatnonzero((counts > 0) & ~np.isnan(self.values))
        return self.values[found], counts[found]


def encode(numbers: Numbers) -> Coded:
    """The numbers with a short table, if there is one; -0 may become 0."""
    if not (len(numbers) and np.fmin.reduce(numbers) >= 0):
        return as_table(numbers)
    highest = np.fmax.reduce(numbers)
    missing = np.isnan(numbers)
    for fraction in _FRACTIONS:
        # One is for NaN, and one for 0.
        length = highest * fraction + 2
        if length > min(len(numbers), _LONGEST):
            break
        multiples = np.rint(numbers * fraction)
        if ((multiples / fraction == numbers) | missing).all():
            # With NaN first, the shorter one of two tables is the beginning of the longer one.
            values = np.concatenate([[np.nan], np.arange(round(length) - 1) / fraction])
            codes = np.where(missing, 0, multiples + 1)
            return Coded(values, codes.astype(np.min_scalar_type(len(values) - 1)))
    return as_table(numbers)


def as_table(numbers: Numbers) -> Coded:
    """The numbers themselves as the table."""
    return Coded(numbers, np.arange(len(numbers), dtype=np.uint32))


def concatenate(columns: Sequence[Coded]) -> Coded:
    """All rows of these, of which there is at least one, in their order."""
    longest = max((column.values for column in columns), key=len)
    if all(
        np.array_equal(longest[: len(column.values)], column.values, equal_nan=True) for column in columns
    ):
        return Coded(longest, np.concatenate([column.codes for column in columns]))
    return encode(np.concatenate([column.numbers for column in columns]))
