"""The cars of an upload by the rules for rows alone, with which other ways to read it are compared."""

import io
from functools import partial
from typing import BinaryIO

from auto_mpg.car import Car
from auto_mpg.cars import LAYOUTS, check_cars, find_columns, valid_cars
from common.csv_rows import read_rows
from common.uploads import Problems


def read_cars(stream: BinaryIO, name: str) -> list[Car]:
    """All cars. Raises BadUpload, whose message calls the file `name`."""
    content = b"".join(iter(partial(stream.read, 1 << 16), b""))
    check_cars(io.BytesIO(content), name)
    rows = read_rows(io.BytesIO(content), layouts=LAYOUTS)
    return list(valid_cars(rows, find_columns(next(rows)), Problems(name)))
