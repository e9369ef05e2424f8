"""Learns from the training rows how to turn cars into features, a block at a time.

The result is that of scikit-learn's SimpleImputer(strategy="median") and StandardScaler, except that it is
correctly rounded, so that it does not depend on the order of the rows or on how they are cut into blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from auto_mpg.columns import Cars
from auto_mpg.features import NUMBERS, Preprocessor
from common.exact_sums import ExactMedian, ExactSum

# Dividing by almost nothing would overflow a float32. A nearly constant column is not scaled.
_SMALLEST_SCALE = 1e-6
_HORSEPOWER = NUMBERS.index("horsepower")


@dataclass
class Fit:
    """What is known of the training rows."""

    sums: tuple[ExactSum, ...] = field(default_factory=lambda: tuple(ExactSum() for _ in NUMBERS))
    horsepower: ExactMedian = field(default_factory=ExactMedian)

    def add(self, cars: Cars) -> None:
        """Add cars."""
        for name, sums in zip(NUMBERS, self.sums, strict=True):
            sums.add_counted(*cars.column(name).counted())
        self.horsepower.add_counted(*cars.column("horsepower").counted())

    def merge(self, other: Fit) -> None:
        """Add the cars that the other has."""
        self.horsepower.merge(other.horsepower)
        for sums, others in zip(self.sums, other.sums, strict=True):
            sums.merge(others)

    def preprocessor(self) -> Preprocessor:
        """What has been learned. At least one car needs a horsepower."""
        median = self.horsepower.median
        filled = ExactSum()
        filled.merge(self.sums[_HORSEPOWER])
        filled.add_repeated(median, self.sums[0].count - filled.count)
        sums = [filled if place == _HORSEPOWER else sums for place, sums in enumerate(self.sums)]
        scales = tuple(sums.deviation for sums in sums)
        return Preprocessor(
            median,
            tuple(sums.mean for sums in sums),
            tuple(scale if scale > _SMALLEST_SCALE else 1.0 for scale in scales),
        )
