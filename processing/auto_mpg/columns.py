"""Cars in columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from auto_mpg.car import CONTENT, Car
from common import coded
from common.arrow import texts_to_arrow, to_arrow
from common.coded import Coded, Numbers
from common.content_hash import Hashes, bits_of, hashes_of_bits

NUMERIC = ("mpg", *CONTENT)

_NUMBERS = attrgetter(*NUMERIC)
# Of so many rows, what a hash is made of fits into the caches of a processor.
_AT_A_TIME = 1 << 15


@dataclass(frozen=True)
class Cars:
    """The columns of NUMERIC, in which NaN stands for what is missing, and names.

    The names are None if they were not asked for.
    """

    columns: Sequence[Coded]
    names: pa.Array | None

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, chosen: NDArray[Any]) -> Cars:
        rows = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        names = None if self.names is None else self.names.take(to_arrow(rows))
        return Cars([column[rows] for column in self.columns], names)

    @property
    def nameless(self) -> Cars:
        """The same cars without names."""
        return Cars(self.columns, None)

    @property
    def mpg(self) -> Numbers:
        """The label of each car."""
        return self.columns[0].numbers

    @property
    def is_labelled(self) -> NDArray[np.bool_]:
        """Whether each car has a label."""
        return ~self.columns[0].is_missing

    @property
    def content(self) -> Numbers:
        """The numbers that a model is given, shaped (CONTENT, cars)."""
        return np.stack([column.numbers for column in self.columns[1:]])

    def column(self, name: str) -> Coded:
        """One of NUMERIC."""
        return self.columns[NUMERIC.index(name)]

    def hashes(self) -> Hashes:
        """The hash of each car's content."""
        bits = [bits_of(column.values) for column in self.columns[1:]]
        found = np.empty(len(self), np.uint64)
        for start in range(0, len(self), _AT_A_TIME):
            rows = slice(start, start + _AT_A_TIME)
            found[rows] = hashes_of_bits(
                of_column.take(column.codes[rows])
                for of_column, column in zip(bits, self.columns[1:], strict=True)
            )
        return found


def concatenate(parts: Sequence[Cars]) -> Cars:
    """All cars of these, in their order."""
    if not parts:
        return to_cars([])
    if len(parts) == 1:
        return parts[0]
    names = None
    if all(part.names is not None for part in parts):
        names = pa.concat_arrays([part.names for part in parts])
    columns = zip(*(part.columns for part in parts), strict=True)
    return Cars([coded.concatenate(of_column) for of_column in columns], names)


def to_cars(cars: Iterable[Car]) -> Cars:
    """The same cars as columns."""
    listed = list(cars)
    numbers = np.array(list(map(_NUMBERS, listed)), np.float64).reshape(-1, len(NUMERIC)).T
    return Cars(
        [coded.encode(column) for column in numbers], texts_to_arrow([car.car_name for car in listed])
    )
