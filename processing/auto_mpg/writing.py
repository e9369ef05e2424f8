"""Writes the files of a part of an upload: the channels of the training, the test rows and the batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv, parquet

from auto_mpg.car import COLUMNS, CONTENT, RAW_COLUMNS
from auto_mpg.features import FEATURES, Preprocessor
from auto_mpg.names import clean, without_formulas
from auto_mpg.table import Cars, Numbers
from common.arrow import to_arrow
from common.digests import file_digest
from common.splitting import PARTS

# In the place of a part, for a car without a label.
UNLABELLED = len(PARTS)
_TRAIN, _VALIDATION, _TEST = range(len(PARTS))
_WHOLE = ("cylinders", "model_year", "origin")
_CHANNEL = pa.schema([(column, pa.float32()) for column in ("mpg", *FEATURES)])


@dataclass(frozen=True)
class Place:
    """Which part of the upload this is, of how many, and into how many files its training rows go."""

    part: int = 0
    parts: int = 1
    training_files: int = 1

    def file(self, folder: str, suffix: str, number: int = 0, files: int = 1) -> str:
        """The name of a file: plain for the only one, otherwise numbered."""
        if self.parts * files == 1:
            return f"{folder}/{folder}{suffix}"
        return f"{folder}/{folder}-{self.part * files + number:05}{suffix}"


@dataclass(frozen=True)
class Written:
    """The digests of files by their names, and the rows of each kind."""

    digests: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys([*PARTS, "batch"], 0))


class Writer:
    """Collects the rows of a part, and writes its files at once: a file that exists is complete.

    In memory, a part has about half the size that it has in the upload.
    """

    def __init__(self, preprocessor: Preprocessor, place: Place) -> None:
        self._preprocessor = preprocessor
        self._place = place
        self._training = [_Channel() for _ in range(place.training_files)]
        self._validation = _Channel()
        self._test, self._batch = _Table(COLUMNS, header=True), _Table(RAW_COLUMNS)

    def add(self, cars: Cars, parts: NDArray[np.intp]) -> None:
        """Add cars, of which each belongs to a position in PARTS or is UNLABELLED. They need names."""
        train, validation = np.flatnonzero(parts == _TRAIN), np.flatnonzero(parts == _VALIDATION)
        nameless = Cars(cars.mpg, cars.content, None)
        files = self._place.training_files
        already = sum(channel.rows for channel in self._training)
        for number, channel in enumerate(self._training):
            channel.add(self._features(nameless[train[(number - already) % files :: files]]))
        self._validation.add(self._features(nameless[validation]))
        batch = np.flatnonzero(parts >= _TEST)
        to_predict = cars[batch]
        texts = _texts(to_predict)
        self._batch.add(texts)
        self._test.add(texts.take(to_arrow(np.flatnonzero(parts[batch] == _TEST))))

    def close(self, output: Path) -> Written:
        """Write the files that have any rows."""
        written = Written()
        files: dict[str, _Channel | _Table] = {
            self._place.file("train", ".parquet", number, len(self._training)): channel
            for number, channel in enumerate(self._training)
        }
        files[self._place.file("validation", ".parquet")] = self._validation
        files[self._place.file("test", ".csv")] = self._test
        files[self._place.file("batch", ".csv")] = self._batch
        for name, content in files.items():
            written.rows[name.partition("/")[0]] += content.rows
            if content.rows:
                written.digests[name] = _write(output / name, content.close())
        return written

    def _features(self, cars: Cars) -> pa.RecordBatch:
        features = self._preprocessor.features(cars.content.T)
        columns = [cars.mpg, *features.T]
        return pa.record_batch([to_arrow(column.astype(np.float32)) for column in columns], _CHANNEL)


def write_labelled(path: Path, cars: Cars) -> str:
    """Write a table of labelled cars, which need names; returns its digest."""
    table = _Table(COLUMNS, header=True)
    table.add(_texts(cars))
    return _write(path, table.close())


class _Channel:
    """Rows for the training, the label first."""

    def __init__(self) -> None:
        self.rows = 0
        self._sink = pa.BufferOutputStream()
        self._writer = parquet.ParquetWriter(self._sink, _CHANNEL)

    def add(self, batch: pa.RecordBatch) -> None:
        self.rows += len(batch)
        if len(batch):
            self._writer.write_batch(batch)

    def close(self) -> pa.Buffer:
        self._writer.close()
        return self._sink.getvalue()


class _Table:
    """Rows as texts that `car.read_car` reads back as the same numbers."""

    def __init__(self, columns: tuple[str, ...], *, header: bool = False) -> None:
        self.rows = 0
        self._columns = list(columns)
        self._sink = pa.BufferOutputStream()
        if header:
            self._sink.write(f"{','.join(columns)}\n".encode())

    def add(self, table: pa.Table) -> None:
        self.rows += len(table)
        csv.write_csv(table.select(self._columns), self._sink, csv.WriteOptions(include_header=False))

    def close(self) -> pa.Buffer:
        return self._sink.getvalue()


def _texts(cars: Cars) -> pa.Table:
    columns = {"mpg": _number("mpg", cars.mpg), "car_name": without_formulas(clean(cars.names))}
    for column, values in zip(CONTENT, cars.content, strict=True):
        columns[column] = _number(column, values)
    return pa.table({column: columns[column] for column in COLUMNS})


def _number(column: str, values: Numbers) -> pa.Array:
    return to_arrow(values.astype(np.int64)) if column in _WHOLE else to_arrow(values, nan_is_null=True)


def _write(path: Path, content: pa.Buffer) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_bytes(content)
    unfinished.replace(path)
    return file_digest(path)
