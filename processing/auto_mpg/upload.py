"""The quick check of an upload of cars, before any job starts. Standard library only."""

from __future__ import annotations

from typing import BinaryIO

from auto_mpg.cars import check_cars
from common.uploads import Counts


def check(stream: BinaryIO, name: str, *, whole: bool = True) -> Counts:
    """Apply the rules of the preprocessing job. Raises BadUpload, whose message calls the file `name`.

    With `whole=False` the stream is the head of a longer file.
    """
    return check_cars(stream, name, whole=whole)
