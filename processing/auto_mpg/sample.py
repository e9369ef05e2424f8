"""A sample of the labelled cars of an upload, by which data and models are watched.

It has the cars with the smallest hashes of their content, so the same ones on any number of machines.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from auto_mpg.table import Cars, concatenate, to_cars
from common.baseline import SAMPLE


@dataclass
class Sample:
    """At most SAMPLE cars and their hashes, in the order of the latter and then of the upload."""

    cars: Cars = field(default_factory=lambda: to_cars([]))
    hashes: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))

    def add(self, cars: Cars, hashes: NDArray[np.uint64]) -> None:
        """Add later cars of the upload, which need names; those without a label are left out."""
        is_candidate = ~np.isnan(cars.mpg)
        if len(self.hashes) == SAMPLE:
            is_candidate &= hashes < self.hashes[-1]
        chosen = np.flatnonzero(is_candidate)
        chosen = chosen[np.argsort(hashes[chosen], kind="stable")[:SAMPLE]]
        self.merge(Sample(cars[chosen], hashes[chosen]))

    def merge(self, later: Sample) -> None:
        """Add the sample of a later part of the upload."""
        hashes = np.concatenate([self.hashes, later.hashes])
        order = np.argsort(hashes, kind="stable")[:SAMPLE]
        self.cars, self.hashes = concatenate([self.cars, later.cars])[order], hashes[order]
