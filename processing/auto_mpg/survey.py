"""What has to be known of all rows before the first one can be written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auto_mpg.cars import FEWEST_LABELLED_ROWS, Tally
from auto_mpg.columns import Cars
from auto_mpg.divided import Divided, divide
from auto_mpg.fitting import Fit
from auto_mpg.sample import Sample
from auto_mpg.together import Part
from common.content_hash import Hashes, different
from common.hosts import find_hosts
from common.splitting import PARTS, Borders
from common.uploads import Problems

# So many rows nearly always have FEWEST_LABELLED_ROWS different contents.
_AT_A_TIME = 1 << 10


@dataclass
class Survey:
    """The problems and the counts of rows, what the training rows teach, and a sample.

    `rows` has the rows of each of PARTS; `training` the training rows of each part of the upload, and `hosts`
    where that part was surveyed. Further rows, which a later upload `replaced`, do not count.
    """

    problems: Problems
    tally: Tally = field(default_factory=Tally)
    fit: Fit = field(default_factory=Fit)
    sample: Sample = field(default_factory=Sample)
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(PARTS), np.int64))
    training: list[int] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    replaced: int = 0

    def add(self, cars: Cars, hashes: Hashes, borders: Borders) -> Divided:
        """Divide cars, and add them as one part of the upload."""
        divided = divide(cars, hashes, borders)
        train, validation = len(divided.train), len(divided.validation)
        self.rows += [train, validation, int(cars.is_labelled.sum()) - train - validation]
        self.fit.add(divided.train)
        self.sample.add(cars, hashes)
        self.training.append(train)
        return divided

    def merge(self, later: Survey) -> None:
        """Add that of later parts of the upload."""
        self.problems.merge(later.problems)
        self.tally.merge(later.tally)
        self.fit.merge(later.fit)
        self.sample.merge(later.sample)
        self.rows += later.rows
        self.training += later.training
        self.hosts += later.hosts


def survey(borders: Borders, kept: Path, task: tuple[int, Part]) -> Survey:
    """Survey the part of an upload with this number, and keep its cars in a file of the folder `kept`."""
    number, part = task
    found = Survey(Problems(part.upload.name), hosts=[find_hosts().current])
    cars = part.read(found.problems, named=True)
    if not found.problems.count:
        hashes = cars.hashes()
        count(cars, hashes, found.tally)
        found.add(cars, hashes, borders).save(kept_file(kept, number))
    return found


def kept_file(kept: Path, number: int) -> Path:
    """Where the cars of a part of the upload are kept, on the machine that surveyed it."""
    return kept / f"{number:05}"


def count(cars: Cars, hashes: Hashes, tally: Tally) -> None:
    """Count cars, as `Tally.add` counts one."""
    is_labelled = cars.is_labelled
    has_horsepower = ~cars.column("horsepower").is_missing
    tally.rows += len(cars)
    tally.labelled += int(is_labelled.sum())
    tally.with_horsepower += int((is_labelled & has_horsepower).sum())
    if len(tally.different) < FEWEST_LABELLED_ROWS:
        tally.different.update(_few_different(hashes[is_labelled]))


def _few_different(hashes: Hashes) -> set[int]:
    """Some different ones of these; all, if they are fewer than FEWEST_LABELLED_ROWS."""
    found: set[int] = set()
    for start in range(0, len(hashes), _AT_A_TIME):
        found.update(different(hashes[start : start + _AT_A_TIME])[:FEWEST_LABELLED_ROWS].tolist())
        if len(found) >= FEWEST_LABELLED_ROWS:
            break
    return found
