"""What a workload's `monitoring.py` makes of rows: features and predictions as columns of the same length.

A number's column is an array in which NaN, a category's a sequence in which None stands for what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Texts = Sequence[str | None]
Column = Numbers | Texts
# By name, each with a value for each row, in the rows' order.
Columns = Mapping[str, Column]


def row_count(columns: Columns) -> int:
    """How many rows the columns have. Raises ValueError unless all have as many."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the columns have different numbers of rows: {lengths}")
    return next(iter(lengths.values()), 0)


def concatenated(parts: Iterable[Columns]) -> Columns:
    """The rows of several tables, one after the other. All must have the same columns."""
    listed = list(parts)
    return {name: _concatenated([part[name] for part in listed]) for name in (listed[0] if listed else ())}


def _concatenated(columns: Sequence[Column]) -> Column:
    arrays = [column for column in columns if isinstance(column, np.ndarray)]
    if len(arrays) == len(columns):
        return np.concatenate(arrays)
    return [value for column in columns for value in column]
