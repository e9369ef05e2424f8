"""A number for the content of a row of numbers, by which rows are split. Documented in docs/scale.md."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def content_hashes(columns: Iterable[NDArray[np.float64]]) -> NDArray[np.uint64]:
    """The hash of each row of a table, given as its columns: equal for equal rows on every machine, for good.

    h is 0 at first, and for each value h = mix((h ^ bits) + 0x9E3779B97F4A7C15), modulo 2^64, where `bits` is
    the value as IEEE 754 binary64 (any NaN counts as one, and -0 as 0) and `mix` is the output function of
    splitmix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", 2014).
    """
    hashes = np.uint64(0)
    for values in columns:
        # Adding 0 makes a 0 of -0.
        bits = np.where(np.isnan(values), np.nan, values + 0.0).view(np.uint64)
        hashes = _mix((hashes ^ bits) + _GAMMA)  # type: ignore[assignment]
    return hashes  # type: ignore[return-value]


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))
