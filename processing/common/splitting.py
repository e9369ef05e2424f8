"""Splits rows into training, validation and test by the hashes of their content."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.content_hash import different

PARTS = ("train", "validation", "test")
_TO_VALIDATION, _TO_TEST = 70, 85  # percent
_SPACE = 1 << 64


@dataclass(frozen=True)
class Borders:
    """Hashes below `validation` are train, those from `test` on are test, and the others validation.

    The result depends neither on a seed nor on the order of the rows. Rows with the same content stay
    together. Validation lies between the other two, and new rows shift borders only a little, so a row that
    trained one model practically never tests a later one.
    """

    validation: int
    test: int

    def of(self, hashes: NDArray[np.uint64]) -> NDArray[np.intp]:
        """The part of each row, as a position in PARTS."""
        # Faster than a search, for two borders.
        return (hashes >= np.uint64(self.validation)).astype(np.intp) + (hashes >= np.uint64(self.test))


# The shares of these are those of their rows only on average; a large file comes as close as one can see.
FIXED = Borders(_SPACE * _TO_VALIDATION // 100, _SPACE * _TO_TEST // 100)


def exact_borders(hashes: NDArray[np.uint64]) -> Borders:
    """Borders by which 70 % of the different contents are train, the next 15 % validation, the rest test."""
    contents = different(hashes)
    if not len(contents):
        return FIXED
    validation, test = (int(contents[len(contents) * share // 100]) for share in (_TO_VALIDATION, _TO_TEST))
    return Borders(validation, test)
