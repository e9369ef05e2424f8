"""The cars of a part of an upload, divided by what they are for, and the file that keeps them for a while."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from auto_mpg.columns import NUMERIC, Cars
from common.arrow import only_chunk, to_arrow, to_numpy
from common.coded import Coded
from common.content_hash import Hashes
from common.splitting import PARTS, Borders

_TRAIN, _VALIDATION, _TEST = range(len(PARTS))
_UNLABELLED = len(PARTS)


@dataclass(frozen=True)
class Divided:
    """Cars to train with, to validate with, and to predict: those that test, and those without a label.

    The last ones alone have names.
    """

    train: Cars
    validation: Cars
    batch: Cars

    @property
    def test(self) -> Cars:
        """The labelled cars of the batch."""
        return self.batch[self.batch.is_labelled]

    def save(self, path: Path) -> None:
        """Write a file, which is complete if it exists."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}")
        with pa.OSFile(str(unfinished), "wb") as sink:
            for cars in (self.train, self.validation, self.batch):
                table = _to_arrow(cars)
                with pa.ipc.new_stream(sink, table.schema) as writer:
                    writer.write_batch(table)
        unfinished.replace(path)


def divide(cars: Cars, hashes: Hashes, borders: Borders) -> Divided:
    """Divide cars, which need names, by the hashes of their content."""
    parts = np.where(cars.is_labelled, borders.of(hashes), _UNLABELLED)
    train, validation = (cars.nameless[parts == part] for part in (_TRAIN, _VALIDATION))
    return Divided(train, validation, cars[parts >= _TEST])


def take(path: Path) -> Divided | None:
    """What was saved in a file, and remove it; None if there is none."""
    if not path.exists():
        return None
    with pa.memory_map(str(path)) as source:
        path.unlink()
        return Divided(*(_to_cars(pa.ipc.open_stream(source).read_all()) for _ in range(3)))


def _to_arrow(cars: Cars) -> pa.RecordBatch:
    columns = {
        name: pa.DictionaryArray.from_arrays(to_arrow(column.codes), to_arrow(column.values))
        for name, column in zip(NUMERIC, cars.columns, strict=True)
    }
    if cars.names is not None:
        columns["car_name"] = cars.names
    return pa.RecordBatch.from_pydict(columns)


def _to_cars(table: pa.Table) -> Cars:
    columns = {name: only_chunk(table.column(name)) for name in table.column_names}
    names = columns.pop("car_name", None)
    return Cars(
        [Coded(to_numpy(column.dictionary), to_numpy(column.indices)) for column in columns.values()], names
    )
