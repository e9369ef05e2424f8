"""A number for the content of a row of numbers, by which rows are split. Documented in docs/scale.md."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def content_hashes(columns: Iterable[NDArray[np.float64]]) -> Hashes:
    """The hash of each row of a table, given as its columns: equal for equal rows on every machine, for good.

    h is 0 at first, and for each value h = mix((h ^ bits) + 0x9E3779B97F4A7C15), modulo 2^64, where `bits` is
    the value as IEEE 754 binary64 (any NaN counts as one, and -0 as 0) and `mix` is the output function of
    splitmix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", 2014).
    """
    return hashes_of_bits(map(bits_of, columns))


def bits_of(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """The `bits` of each value."""
    # Adding 0 makes a 0 of -0.
    return np.where(np.isnan(values), np.nan, values + 0.0).view(np.uint64)


def different(hashes: Hashes) -> Hashes:
    """The different ones of these, sorted."""
    # For hashes, np.unique of NumPy 2.3 and later takes twenty times as long.
    ordered = np.sort(hashes)
    is_new = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=is_new[1:])
    return ordered[is_new]


def hashes_of_bits(columns: Iterable[NDArray[np.uint64]]) -> Hashes:
    """The same hashes, from the bits of each column's values."""
    hashes = np.uint64(0)
    for bits in columns:
        hashes = hashes ^ bits  # type: ignore[assignment]
        hashes += _GAMMA
        _mix(hashes)  # type: ignore[arg-type]
    return hashes  # type: ignore[return-value]


def _mix(state: Hashes) -> None:
    state ^= state >> np.uint64(30)
    state *= _FIRST
    state ^= state >> np.uint64(27)
    state *= _SECOND
    state ^= state >> np.uint64(31)
