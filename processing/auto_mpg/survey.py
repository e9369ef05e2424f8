"""What has to be known of all rows before the first one can be written."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from auto_mpg.car import CONTENT
from auto_mpg.cars import FEWEST_LABELLED_ROWS, Tally
from auto_mpg.fitting import Fit
from auto_mpg.table import Cars
from auto_mpg.together import Part
from auto_mpg.writing import UNLABELLED
from common.splitting import PARTS, Borders
from common.uploads import Problems

_HORSEPOWER = CONTENT.index("horsepower")


@dataclass
class Survey:
    """The problems and the counts of rows, and what the training rows teach.

    `rows` has the rows of each of PARTS, `training` the training rows of each part of the upload. Further
    rows, which a later upload `replaced`, do not count.
    """

    problems: Problems
    tally: Tally = field(default_factory=Tally)
    fit: Fit = field(default_factory=Fit)
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(PARTS), np.int64))
    training: list[int] = field(default_factory=list)
    replaced: int = 0

    def add(self, cars: Cars, parts: NDArray[np.intp]) -> None:
        """Add cars, of which each belongs to a position in PARTS or is UNLABELLED."""
        self.rows += np.bincount(parts, minlength=len(PARTS) + 1)[: len(PARTS)]
        self.fit.add(cars[parts == 0].content)

    def merge(self, later: Survey) -> None:
        """Add that of a later part of the upload."""
        self.problems.merge(later.problems)
        self.tally.merge(later.tally)
        self.fit.merge(later.fit)
        self.rows += later.rows
        self.training.append(int(later.rows[0]))


def survey(borders: Borders, part: Part) -> Survey:
    """Survey a part of an upload."""
    found = Survey(Problems(part.upload.name))
    for cars in part.read(found.problems, named=False):
        if found.problems.suffice:
            found.problems.stopped = True
            break
        if not found.problems.count:
            parts, hashes = split(cars, borders)
            count(cars, hashes, found.tally)
            found.add(cars, parts)
    return found


def split(cars: Cars, borders: Borders) -> tuple[NDArray[np.intp], NDArray[np.uint64]]:
    """The part of each car, and the hash of its content."""
    hashes = cars.hashes()
    return np.where(np.isnan(cars.mpg), UNLABELLED, borders.of(hashes)), hashes


def count(cars: Cars, hashes: NDArray[np.uint64], tally: Tally) -> None:
    """Count cars, as `Tally.add` counts one."""
    is_labelled = ~np.isnan(cars.mpg)
    tally.rows += len(cars)
    tally.labelled += int(is_labelled.sum())
    tally.with_horsepower += int((is_labelled & ~np.isnan(cars.content[_HORSEPOWER])).sum())
    if len(tally.different) < FEWEST_LABELLED_ROWS:
        tally.different.update(np.unique(hashes[is_labelled])[:FEWEST_LABELLED_ROWS].tolist())
