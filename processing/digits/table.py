"""Streams the rows of an uploaded Parquet file, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from digits.pictures import LARGEST_PNG
from digits.upload import COLUMNS, problem_of_columns, problem_of_rows

# Limits of a batch. A single row may take all the bytes that its row group declares.
_BATCH_BYTES = 256 << 20
_BATCH_ROWS = 1024


class BadTable(ValueError):
    """The file cannot be read as a table of images; the message completes a sentence about the file."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the upload; `number` counts from 1. A null is None."""

    number: int
    png: bytes | None
    label: int | None


def read_rows(path: Path) -> Iterator[Row]:
    """All rows in order. Raises BadTable, possibly after some rows."""
    try:
        number = 0
        for batch in _batches(path):
            images, labels = batch.column("image").field("bytes"), batch.column("label")
            for image, label in zip(images, labels, strict=True):
                number += 1
                yield Row(number, _content(image), label.as_py())
    except (pa.ArrowException, OSError, MemoryError, OverflowError, UnicodeDecodeError) as error:
        raise BadTable("is damaged or cut off; write the Parquet file again and upload it whole") from error


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        problem = problem_of_columns([column.path for column in file.schema])
        if (
            problem := problem
            or _problem_of_types(file.schema_arrow)
            or problem_of_rows(file.metadata.num_rows)
        ):
            raise BadTable(problem)
        yield from file.iter_batches(_batch_rows(file.metadata), columns=["image.bytes", "label"])


def _problem_of_types(schema: pa.Schema) -> str | None:
    if repeated := [name for name in COLUMNS if schema.names.count(name) > 1]:
        return f"has more than one column {repeated[0]}; keep one of them"
    image, label = (schema.field(name).type for name in COLUMNS)
    content = image.field("bytes").type if pa.types.is_struct(image) else image
    if not (pa.types.is_struct(image) and (pa.types.is_binary(content) or pa.types.is_large_binary(content))):
        return (
            f"has a column image of type {str(content)[:60]}; expected a struct with the field bytes (binary)"
        )
    if not pa.types.is_integer(label):
        return f"has a column label of type {str(label)[:60]}; expected whole numbers from 0 to 9"
    return None


def _batch_rows(metadata: pq.FileMetaData) -> int:
    groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
    largest = max((group.total_byte_size for group in groups), default=0)
    if largest > _BATCH_BYTES:
        raise BadTable(f"has a row group of {largest:,} bytes; at most {_BATCH_BYTES:,} are read at once")
    return max(1, min(_BATCH_ROWS, _BATCH_BYTES // max(largest, 1)))


def _content(image: pa.Scalar) -> bytes | None:
    """The image, cut off one byte above the limit, so that a huge one is not copied."""
    content: bytes | None = image.as_buffer()[: LARGEST_PNG + 1].to_pybytes() if image.is_valid else None
    return content
