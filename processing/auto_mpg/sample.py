"""A sample of the labelled cars of an upload, by which data and models are watched.

It has the cars with the smallest hashes of their content, so the same ones on any number of machines.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from auto_mpg.columns import Cars, concatenate, to_cars
from common.baseline import SAMPLE
from common.content_hash import Hashes


@dataclass
class Sample:
    """At most SAMPLE cars and their hashes, in the order of the latter and then of the upload."""

    cars: Cars = field(default_factory=lambda: to_cars([]))
    hashes: Hashes = field(default_factory=lambda: np.empty(0, np.uint64))

    def add(self, cars: Cars, hashes: Hashes) -> None:
        """Add later cars of the upload, which need names; those without a label are left out."""
        candidates = np.flatnonzero(cars.is_labelled)
        if len(candidates) > SAMPLE:
            highest = np.partition(hashes[candidates], SAMPLE - 1)[SAMPLE - 1]
            candidates = candidates[hashes[candidates] <= highest]
        self.merge(Sample(cars[candidates], hashes[candidates]))

    def merge(self, later: Sample) -> None:
        """Add the sample of a later part of the upload."""
        hashes = np.concatenate([self.hashes, later.hashes])
        order = np.argsort(hashes, kind="stable")[:SAMPLE]
        self.cars, self.hashes = concatenate([self.cars, later.cars])[order], hashes[order]
