"""Reads a file of images to predict, such as `mpg predict` sends: a Parquet file or a single PNG image."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

from common.text import shown_name
from common.uploads import BadUpload

_PNG = b"\x89PNG\r\n\x1a\n"


def rows(path: Path, name: str) -> Iterator[str]:
    """Each image as a line of JSON. Raises BadUpload, whose message calls the file `name`."""
    with path.open("rb") as stream:
        is_picture = stream.read(len(_PNG)) == _PNG
    return map(_line, [path.read_bytes()] if is_picture else _pictures(path, name))


def _line(png: bytes) -> str:
    return json.dumps({"image": base64.b64encode(png).decode("ascii")})


def _pictures(path: Path, name: str) -> Iterator[bytes]:
    # A single image needs no library.
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["image.bytes"]):
                for image in batch.column("image").field("bytes").cast(pa.binary()):
                    number += 1
                    if not image.is_valid:
                        raise BadUpload(f"{shown_name(name)}, row {number} has no image")
                    yield image.as_py()
    except (pa.ArrowException, OSError, LookupError, AttributeError, TypeError) as error:
        raise BadUpload(
            f"{shown_name(name)} is neither a PNG image nor a Parquet file with the column image, a struct "
            "with the field bytes"
        ) from error
    if not number:
        raise BadUpload(f"{shown_name(name)} has no rows")
