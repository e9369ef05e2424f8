"""A model's error at approval, kept with its baseline, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from common.drift import QualityChange
from common.evaluation import Better, Values


@dataclass(frozen=True)
class Quality:
    """The gate's metric as the mean of a value for each row, and the deviation of these values."""

    metric: str
    label: str
    better: Better
    mean: float
    deviation: float
    rows: int


def quality_change(then: Quality, now: Values, significance: float) -> QualityChange | None:
    """How the mean of the values now differs from that at approval; None for too few rows."""
    return None
