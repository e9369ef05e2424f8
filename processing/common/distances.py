"""Distances between two samples, and how large chance makes them.

Each limit is a bound that holds for samples of any size: equally distributed samples are further apart with
at most the given probability. numpy only: importing scipy.stats takes longer than a small evaluation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Counts = NDArray[np.int64]

# Of the inequality below, for two samples of 4 rows or more.
_DKW = 2.16863


@dataclass(frozen=True)
class Steps:
    """The distribution functions of two samples of `rows` rows at all their different values.

    `widths` are the distances between the values, as shares of the whole range.
    """

    first: Values
    second: Values
    widths: Values
    rows: tuple[int, int]

    @classmethod
    def of(cls, values: tuple[Values, Values], weights: tuple[Counts, Counts]) -> Steps:
        """Two samples that are not empty; each value stands for as many rows as its weight says."""
        places, inverse = np.unique(np.concatenate(values), return_inverse=True)
        counts = [
            np.bincount(of_sample, weight, len(places))
            for of_sample, weight in zip(np.split(inverse, [len(values[0])]), weights, strict=True)
        ]
        first, second = (np.cumsum(count) / count.sum() for count in counts)
        widths = np.diff(places) / ((places[-1] - places[0]) or 1.0)
        return cls(first, second, widths, (int(weights[0].sum()), int(weights[1].sum())))

    @property
    def pooled(self) -> Values:
        """The distribution function of all rows together."""
        first, second = self.rows
        return (self.first * first + self.second * second) / (first + second)

    @property
    def deviation(self) -> float:
        """The standard deviation of all rows together, as a share of the range."""
        places = np.concatenate([[0.0], np.cumsum(self.widths)])
        shares = np.diff(self.pooled, prepend=0.0)
        mean = (shares * places).sum()
        return math.sqrt((shares * (places - mean) ** 2).sum())


def kolmogorov_smirnov(steps: Steps) -> float:
    """The largest difference of the distribution functions."""
    return float(np.abs(steps.first - steps.second).max())


def share_limit(rows: tuple[int, int], probability: float) -> float:
    """For the Kolmogorov-Smirnov distance, and for the difference of two shares.

    The inequality of Dvoretzky, Kiefer and Wolfowitz for two samples: F. Wei, R. Dudley, "Two-sample
    Dvoretzky-Kiefer-Wolfowitz inequalities", 2012.
    """
    return math.sqrt(math.log(_DKW / probability) * (1 / rows[0] + 1 / rows[1]) / 2)


def wasserstein(steps: Steps) -> float:
    """How far the rows of one sample have to move to become the other, in deviations of all rows."""
    distance = float((np.abs(steps.first - steps.second)[:-1] * steps.widths).sum())
    return distance / steps.deviation if distance else 0.0


def wasserstein_limit(steps: Steps, probability: float) -> float:
    """For the Wasserstein distance, in deviations of all rows.

    The distance is the supremum of an empirical process over the functions of slope 1, so Talagrand's
    inequality bounds it, here with O. Bousquet's constants ("A Bennett concentration inequality", 2002).
    Their variance is at most that of the rows, and their range that of the rows, which is 1. The expected
    distance is at most the integral of sqrt(F (1 - F)) times sqrt(1/n + 1/m): S. Bobkov, M. Ledoux,
    "One-dimensional empirical measures, order statistics, and Kantorovich transport distances", 2019.
    """
    share, deviation = steps.pooled[:-1], steps.deviation
    if not deviation:
        return 0.0
    spread, step = sum(1 / rows for rows in steps.rows), 1 / min(steps.rows)
    expected = math.sqrt(spread) * float((np.sqrt(np.maximum(share * (1 - share), 0)) * steps.widths).sum())
    surprise = math.log(1 / probability)
    variance = spread * deviation**2 + 2 * step * expected
    limit = expected + math.sqrt(2 * surprise * variance) + step * surprise / 3
    return limit / deviation


def jensen_shannon(first: Counts, second: Counts) -> float:
    """The Jensen-Shannon distance of two samples' shares of the same categories, from 0 to 1.

    The square root of the divergence in bits: J. Lin, "Divergence measures based on the Shannon entropy",
    1991.
    """
    shares = [counts / counts.sum() for counts in (first, second)]
    mean = (shares[0] + shares[1]) / 2
    divergence = sum(float((p[p > 0] * np.log2(p[p > 0] / mean[p > 0])).sum()) for p in shares) / 2
    return math.sqrt(min(max(divergence, 0.0), 1.0))


def jensen_shannon_limit(rows: tuple[int, int], categories: int, probability: float) -> float:
    """For the Jensen-Shannon distance of samples with so many different categories.

    The divergence is at most the mean of the samples' relative entropies to what they were drawn from. That
    of n rows has at most the moment generating function of a gamma distribution of shape `categories` - 1 and
    rate n: R. Agrawal, "Finite-sample concentration of the multinomial in relative entropy", 2020. Chernoff's
    bound follows, minimized over s.
    """
    s = 2 * min(rows) * np.linspace(0.001, 0.999, 999)
    logarithm = sum(np.log1p(-s / (2 * n)) for n in rows)
    nats = float(((math.log(1 / probability) - (categories - 1) * logarithm) / s).min())
    return min(math.sqrt(nats / math.log(2)), 1.0)
