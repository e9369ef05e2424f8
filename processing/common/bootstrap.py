"""The difference of two models on the same rows, with an interval by the paired bootstrap.

Rows are resampled in pairs, so that what makes a row hard for both models cancels out. Method: B. Efron,
R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile intervals).

Many rows are first put into groups at random, and then the groups are resampled: their sums vary as those of
so many rows do, and there are as few draws for tens of millions of rows as for ten thousand.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from common.evaluation import Comparison, Values

RESAMPLES = 2000
LEVEL = 0.95
# Resampling fewer rows says little about any others.
FEWEST_ROWS = 10
# More rows than this go into as many groups.
GROUPS = 10_000
_ROWS_AT_A_TIME = 1 << 20
_SEED = 0

Numbers = NDArray[np.float64]


def compare(new: Values, champion: Values) -> Comparison | None:
    """How far the mean of the new model's values is from the champion's; None for too few rows.

    The values are paired by position. The same values give the same interval.
    """
    rows = len(new)
    if rows != len(champion):
        raise ValueError(f"{rows} values cannot be paired with {len(champion)}")
    if rows < FEWEST_ROWS:
        return None
    random = np.random.default_rng(_SEED)
    if rows <= GROUPS:
        [differences] = _differences(new, champion, rows)
        resample = partial(_mean_of_rows, differences, random)
        difference = float(differences.mean())
    else:
        sums, counts = _groups(new, champion, random)
        resample = partial(_mean_of_groups, sums, counts, random)
        difference = float(sums.sum() / rows)
    means = [resample() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Comparison(difference, float(low), float(high), LEVEL, rows, RESAMPLES)


def _differences(new: Values, champion: Values, size: int) -> Iterator[Numbers]:
    """The differences of so many rows at a time."""
    for start in range(0, len(new), size):
        part = slice(start, start + size)
        yield np.asarray(new[part], np.float64) - np.asarray(champion[part], np.float64)


def _groups(new: Values, champion: Values, random: np.random.Generator) -> tuple[Numbers, Numbers]:
    """The sum of the differences in each group, and the number of its rows."""
    sums, counts = np.zeros(GROUPS), np.zeros(GROUPS)
    for differences in _differences(new, champion, _ROWS_AT_A_TIME):
        groups = random.integers(GROUPS, size=len(differences))
        sums += np.bincount(groups, differences, GROUPS)
        counts += np.bincount(groups, minlength=GROUPS)
    return sums, counts


def _mean_of_rows(differences: Numbers, random: np.random.Generator) -> float:
    return float(differences[random.integers(len(differences), size=len(differences))].mean())


def _mean_of_groups(sums: Numbers, counts: Numbers, random: np.random.Generator) -> float:
    drawn = random.integers(GROUPS, size=GROUPS)
    return float(sums[drawn].sum() / counts[drawn].sum())
