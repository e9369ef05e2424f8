"""A model's error at approval, kept with its baseline, and what became of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from common import lenient
from common.drift import QualityChange
from common.evaluation import Better, Metric, Values

# The mean of fewer rows says little about any others.
FEWEST_ROWS = 10
# Of the interval. There is one error to judge beside the many tests for drift: one false alarm in 200.
LEVEL = 0.99


@dataclass(frozen=True)
class Quality:
    """The gate's metric as the mean of a value for each row, and the standard deviation of these values."""

    metric: str
    label: str
    better: Better
    mean: float
    deviation: float
    rows: int

    @classmethod
    def of(cls, metric: Metric, values: Values) -> Quality | None:
        """Of the values of some rows; None for too few rows."""
        found = np.asarray(values[:], np.float64)
        if len(found) < FEWEST_ROWS:
            return None
        mean, deviation = float(found.mean()), float(found.std(ddof=1))
        return cls(metric.name, metric.label, metric.better, mean, deviation, len(found))


def read_quality(statistics: object) -> Quality | None:
    """The quality in the content of a model_quality_statistics.json; None if it has none."""
    found = lenient.mapping(lenient.mapping(statistics).get("gate"))
    mean, deviation, rows = (lenient.number(found.get(name)) for name in ("mean", "deviation", "rows"))
    if mean is None or deviation is None or rows is None:
        return None
    better: Better = "higher" if found.get("better") == "higher" else "lower"
    metric = lenient.text(found.get("metric"))
    return Quality(metric, lenient.text(found.get("label")) or metric, better, mean, deviation, int(rows))


def quality_change(then: Quality, now: Values) -> QualityChange | None:
    """How the mean of the values now differs from that at approval; None for too few rows.

    A model that has not changed counts as degraded with the probability (1 - LEVEL) / 2. The interval is
    Welch's: B. Welch, "The generalization of 'Student's' problem when several different population variances
    are involved", 1947.
    """
    metric = Metric(then.metric, then.label, then.mean, better=then.better)
    found = Quality.of(metric, now)
    if found is None or then.rows < FEWEST_ROWS:
        return None
    difference, margin = found.mean - then.mean, _margin(then, found)
    low, high = difference - margin, difference + margin
    return QualityChange(
        metric=then.metric,
        label=then.label,
        better=then.better,
        at_approval=then.mean,
        now=found.mean,
        low=low,
        high=high,
        level=LEVEL,
        rows=found.rows,
        degraded=high < 0 if then.better == "higher" else low > 0,
    )


def _margin(then: Quality, now: Quality) -> float:
    """Half of the interval, with the degrees of freedom by Welch and Satterthwaite."""
    parts = [quality.deviation**2 / quality.rows for quality in (then, now)]
    if not sum(parts):
        return 0.0
    squares = [part**2 / (quality.rows - 1) for part, quality in zip(parts, (then, now), strict=True)]
    freedom = sum(parts) ** 2 / sum(squares)
    return _student_quantile((1 + LEVEL) / 2, freedom) * math.sqrt(sum(parts))


def _student_quantile(probability: float, freedom: float) -> float:
    """Of Student's t: the expansion 26.7.5 of M. Abramowitz, I. Stegun, "Handbook of mathematical functions".

    From 9 degrees of freedom on it is 1 % off at most, up to a probability of 0.9999.
    """
    # Its import takes 4 ms, and only an evaluation with an approved model needs it.
    from statistics import NormalDist

    z = NormalDist().inv_cdf(probability)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return sum(term / freedom**power for power, term in enumerate(terms))
