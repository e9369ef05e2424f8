"""The difference of two models on the same rows, with an interval by the paired bootstrap.

Rows are resampled in pairs, so that what makes a row hard for both models cancels out. Method: B. Efron,
R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.evaluation import Comparison

RESAMPLES = 2000
LEVEL = 0.95
# Resampling fewer rows says little about any others.
FEWEST_ROWS = 10
_SEED = 0


def compare(new: Sequence[float], champion: Sequence[float]) -> Comparison | None:
    """How far the mean of the new model's values is from the champion's; None for too few rows.

    The values are paired by position. The same values give the same interval.
    """
    differences = np.asarray(new, dtype=np.float64) - np.asarray(champion, dtype=np.float64)
    rows = len(differences)
    if rows < FEWEST_ROWS:
        return None
    random = np.random.default_rng(_SEED)
    means = [differences[random.integers(rows, size=rows)].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Comparison(float(differences.mean()), float(low), float(high), LEVEL, rows, RESAMPLES)
