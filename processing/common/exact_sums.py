"""Sums and medians of float64 values that depend neither on the order of the values nor on their grouping.

So the mean, the variance and the median of a file are the same to the last bit however many blocks it is cut
into, and however many machines work on them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

# Every float64 is a multiple of 2 ** -_UNIT.
_UNIT = 1074
# A sum of _ROWS products of two limbs is an integer that float64 holds exactly: 2 * 20 + 13 = 53 bits.
_LIMB, _ROWS = 20, 1 << 13
# Five limbs hold the 53 bits of each value that is at most so many powers of 2 below the largest.
_REACH = 5 * _LIMB - 53
_DIFFERENT = 1 << 17
# Adding one value by integers of Python takes as long as adding so many by NumPy.
_REPEATED = 100


@dataclass
class ExactSum:
    """The number of values, their sum in units of 2 ** -1074, and that of their squares in 2 ** -2148."""

    count: int = 0
    total: int = 0
    squares: int = 0

    def add(self, values: Values) -> None:
        """Add finite values."""
        if not len(values):
            return
        self.count += len(values)
        size = np.abs(values)
        top = math.frexp(float(size.max()))[1]
        far = (size < math.ldexp(1.0, top - _REACH)) & (size > 0)
        if far.any():
            for value in values[far].tolist():
                self._add_integer(_in_units(value), 1)
            values = values[~far]
        self._add_limbs(_limbs(values, top), top)

    def add_counted(self, values: Values, counts: NDArray[np.int64]) -> None:
        """Add finite values, each so many times."""
        if _REPEATED * len(values) > counts.sum():
            self.add(np.repeat(values, counts))
            return
        for value, times in zip(values.tolist(), counts.tolist(), strict=True):
            self.add_repeated(value, times)

    def add_repeated(self, value: float, times: int) -> None:
        """Add a finite value so many times."""
        self.count += times
        self._add_integer(_in_units(value), times)

    def merge(self, other: ExactSum) -> None:
        """Add the values that the other has."""
        self.count += other.count
        self.total += other.total
        self.squares += other.squares

    @property
    def mean(self) -> float:
        """The correctly rounded mean."""
        return self.total / (self.count << _UNIT)

    @property
    def mean_square(self) -> float:
        """The correctly rounded mean of the squares."""
        return self.squares / (self.count << 2 * _UNIT)

    @property
    def deviation(self) -> float:
        """The root of the correctly rounded variance, which divides by the number of values."""
        variance = (self.count * self.squares - self.total**2) / (self.count**2 << 2 * _UNIT)
        return math.sqrt(variance)

    def _add_integer(self, units: int, times: int) -> None:
        self.total += units * times
        self.squares += units**2 * times

    def _add_limbs(self, limbs: Values, top: int) -> None:
        units = [_UNIT + top - _LIMB * (place + 1) for place in range(limbs.shape[1])]
        sums = limbs.sum(axis=2).astype(np.int64).sum(axis=0)
        products = (limbs @ limbs.transpose(0, 2, 1)).astype(np.int64)
        for i, unit in enumerate(units):
            self.total += _shifted(int(sums[i]), unit)
            for j, other in enumerate(units):
                # More than 2 ** 10 products of 2 ** 53 would overflow an int64.
                self.squares += _shifted(sum(products[:, i, j].tolist()), unit + other)


def _limbs(values: Values, top: int) -> Values:
    """The values in base 2 ** 20, as an array of (groups of _ROWS values, digits, _ROWS), padded with zeros.

    The first digit counts 2 ** (top - 20), the next one 2 ** (top - 40), and so on.
    """
    rest = np.zeros(-(-len(values) // _ROWS) * _ROWS)
    np.ldexp(values, _LIMB - top, out=rest[: len(values)])
    digits = [np.trunc(rest)]
    rest -= digits[0]
    while rest.any():
        rest *= 1 << _LIMB
        digits.append(np.trunc(rest))
        rest -= digits[-1]
    return np.stack([digit.reshape(-1, _ROWS) for digit in digits], axis=1)


def _in_units(value: float) -> int:
    numerator, denominator = value.as_integer_ratio()
    return (numerator << _UNIT) // denominator


def _shifted(number: int, bits: int) -> int:
    """The number times 2 ** bits, which is an integer."""
    return number << bits if bits >= 0 else number >> -bits


@dataclass
class ExactMedian:
    """Counts each different value that is above 0.

    Memory is bounded: beyond 131,072 different values, the lowest bits of all values are dropped, as few as
    possible. So the median is exact for most data, and never off by more than the dropped bits are worth.
    """

    different: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    counts: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    dropped: int = 0

    def add_counted(self, values: Values, counts: NDArray[np.int64]) -> None:
        """Add finite values above 0, each so many times."""
        # Positive values are in the order of their bits.
        self.merge(ExactMedian(values.view(np.uint64), counts))

    def merge(self, other: ExactMedian) -> None:
        """Add the values that the other has."""
        self.dropped = max(self.dropped, other.dropped)
        keys = np.concatenate([self.different, other.different])
        counts = np.concatenate([self.counts, other.counts])
        while True:
            keys = keys >> np.uint64(self.dropped) << np.uint64(self.dropped)
            different, places = np.unique(keys, return_inverse=True)
            if len(different) <= _DIFFERENT:
                break
            self.dropped += 1
        self.different = different
        self.counts = np.zeros(len(different), np.int64)
        np.add.at(self.counts, places, counts)

    @property
    def count(self) -> int:
        """How many values there are."""
        return int(self.counts.sum())

    @property
    def median(self) -> float:
        """The middle value, or the mean of the two in the middle. There must be a value."""
        ends = np.cumsum(self.counts)
        count = self.count
        low, high = np.searchsorted(ends, [(count - 1) // 2, count // 2], side="right")
        values = self.different.view(np.float64)
        return float(values[low] + values[high]) / 2
