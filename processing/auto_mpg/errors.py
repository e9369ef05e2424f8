"""The errors of predictions, as sums that a file gives for itself and that add up to those of all files."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.exact_sums import ExactSum

Numbers = NDArray[np.float64]
Squares = NDArray[np.floating[Any]]

POINTS = 200


@dataclass
class Errors:
    """Sums over test rows, the squared error of each row, and the first labels and predictions of each file.

    The sums are exact, so they are the same whatever files the rows are in.
    """

    labels: ExactSum = field(default_factory=ExactSum)
    errors: ExactSum = field(default_factory=ExactSum)
    sizes: ExactSum = field(default_factory=ExactSum)
    # How far the labels are from the mean of the training rows.
    distances: ExactSum = field(default_factory=ExactSum)
    squares: list[Squares] = field(default_factory=list)
    points: list[list[tuple[float, float]]] = field(default_factory=list)

    @classmethod
    def of(
        cls, labels: Numbers, predicted: Numbers, mean_label: float, kind: type[np.floating[Any]]
    ) -> Errors:
        """The errors of one file; the squares are of this kind."""
        errors = predicted - labels
        found = cls(squares=[(errors**2).astype(kind, copy=False)])
        found.labels.add(labels)
        found.errors.add(errors)
        found.sizes.add(np.abs(errors))
        found.distances.add(labels - mean_label)
        found.points.append(list(islice(zip(labels.tolist(), predicted.tolist(), strict=True), POINTS)))
        return found

    def merge(self, other: Errors) -> None:
        """Add the rows that the other has."""
        self.labels.merge(other.labels)
        self.errors.merge(other.errors)
        self.sizes.merge(other.sizes)
        self.distances.merge(other.distances)
        self.squares += other.squares
        self.points += other.points

    @property
    def mse(self) -> float:
        """Mean squared error."""
        return self.errors.mean_square

    @property
    def r2(self) -> float:
        """R squared; of equal labels, 1 for exact predictions and otherwise 0."""
        residual = self.labels.count * self.errors.squares
        total = self.labels.count * self.labels.squares - self.labels.total**2
        return 1 - residual / total if total else float(not residual)

    def sample(self) -> list[tuple[float, float]]:
        """At most POINTS labels and predictions: the first of each file, then the second of each, ..."""
        rounds = chain.from_iterable(zip_longest(*self.points))
        return list(islice((point for point in rounds if point), POINTS))
