"""Writes the files of a part of an upload: the channels of the training, the test rows and the batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from auto_mpg.car import COLUMNS, ORIGINS, RAW_COLUMNS
from auto_mpg.columns import Cars
from auto_mpg.divided import Divided
from auto_mpg.features import FEATURES, Preprocessor
from auto_mpg.names import clean, without_formulas
from common.arrow import text_to_arrow, to_arrow
from common.coded import Coded
from common.digests import file_digest
from common.splitting import PARTS

_WHOLE = ("cylinders", "model_year", "origin")
_CHANNEL = pa.schema([(column, pa.float32()) for column in ("mpg", *FEATURES)])
_COMMA, _QUOTE, _END, _NOTHING = map(text_to_arrow, (",", '"', '"\n', ""))
_HEADER = f"{','.join(COLUMNS)}\n".encode()


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


@dataclass(frozen=True)
class _File:
    """What is to be written."""

    rows: int
    content: Sequence[pa.Buffer]


def write(cars: Divided, preprocessor: Preprocessor, place: Place, output: Path) -> Written:
    """Write the files of a part that have any rows. A file that exists is complete."""
    hosts = place.training_files
    files = {
        place.file("train", ".parquet", host, hosts): _channel(rows, preprocessor)
        for host, rows in enumerate(_dealt(cars.train, hosts))
    }
    files[place.file("validation", ".parquet")] = _channel(cars.validation, preprocessor)
    lines = _lines(cars.batch)
    test = np.flatnonzero(cars.batch.is_labelled)
    files[place.file("test", ".csv")] = _labelled(cars.batch[test], lines.take(to_arrow(test)))
    files[place.file("batch", ".csv")] = _File(len(lines), [_content(lines)])
    written = Written()
    for name, file in files.items():
        written.rows[name.partition("/")[0]] += file.rows
        if file.rows:
            written.digests[name] = _write(output / name, file)
    return written


def write_labelled(path: Path, cars: Cars) -> str:
    """Write a table of labelled cars, which need names; returns its digest."""
    return _write(path, _labelled(cars, _lines(cars)))


def _dealt(cars: Cars, hands: int) -> Sequence[Cars]:
    """The cars, dealt out one after the other."""
    return [cars[np.arange(hand, len(cars), hands)] for hand in range(hands)] if hands > 1 else [cars]


def _channel(cars: Cars, preprocessor: Preprocessor) -> _File:
    """Rows for the training, the label first."""
    mpg, *numbers, origin = cars.columns
    scaled = [
        Coded(preprocessor.scaled(place, column.values), column.codes) for place, column in enumerate(numbers)
    ]
    origins = [Coded((origin.values == code) * 1.0, origin.codes) for code in ORIGINS.values()]
    columns = [column.values.astype(np.float32).take(column.codes) for column in (mpg, *scaled, *origins)]
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(list(map(to_arrow, columns)), schema=_CHANNEL), sink)
    return _File(len(cars), [sink.getvalue()])


def _labelled(cars: Cars, lines: pa.StringArray) -> _File:
    """A header, and then cars and their lines, with their labels."""
    lines = pc.binary_join_element_wise(_texts("mpg", cars.columns[0]), lines, _COMMA)
    return _File(len(cars), [pa.py_buffer(_HEADER), _content(lines)])


def _lines(cars: Cars) -> pa.StringArray:
    """Each car as a line of RAW_COLUMNS, that `car.read_car` reads back as the same numbers."""
    *numeric, _ = RAW_COLUMNS
    texts = [_texts(name, cars.column(name)) for name in numeric]
    return pc.binary_join_element_wise(
        *texts, _quoted(cars.names), _COMMA, null_handling="replace", null_replacement=""
    )


def _texts(name: str, column: Coded) -> pa.StringArray:
    """The numbers of a column as texts, null for what is missing."""
    values = column.values
    if name in _WHOLE:
        values = np.where(np.isnan(values), 0, values).astype(np.int64)
    return to_arrow(values, nan_is_null=True).cast(pa.string()).take(to_arrow(column.codes))


def _quoted(names: pa.StringArray) -> pa.StringArray:
    """The names as the last fields of lines."""
    encoded = names.dictionary_encode()
    shown = without_formulas(clean(encoded.dictionary))
    escaped = pc.replace_substring(shown, '"', '""')
    return pc.binary_join_element_wise(_QUOTE, escaped, _END, _NOTHING).take(encoded.indices)


def _content(lines: pa.StringArray) -> pa.Buffer:
    """All lines, one after the other. They are those of a whole array."""
    _, ends, content = lines.buffers()
    return content[: np.frombuffer(ends, np.int32)[len(lines)]]


def _write(path: Path, file: _File) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    with unfinished.open("wb") as stream:
        for content in file.content:
            stream.write(content)
    unfinished.replace(path)
    return file_digest(path)
