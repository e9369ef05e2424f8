"""Reads the training channels of a workload, as the built-in algorithm does."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyarrow import parquet


def read_channel(folder: Path) -> NDArray[np.float32]:
    """All rows of a channel, the label first."""
    parts = []
    for path in sorted(path for path in folder.iterdir() if path.suffix != ".manifest"):
        if path.suffix == ".parquet":
            columns = parquet.read_table(path).columns
            parts.append(np.column_stack([column.to_numpy() for column in columns]))
        else:
            parts.append(np.array(list(csv.reader(path.open())), np.float32))
    return np.concatenate(parts)
