"""What callers send to a model of cars, and what they get: the same, whichever library predicts.

numpy and the standard library only.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from auto_mpg.car import CONTENT, RAW_COLUMNS, BadCar, BadValue, Car, read_car, read_value
from common.serving import BadRequest, UnacceptableType, UnsupportedContentType, accepted, media_type

Contents = NDArray[np.float64]

_CONTENT = attrgetter(*CONTENT)
_NAME = RAW_COLUMNS[-1]
# A name that the csv module reads as itself, or as what is between its quotes.
_PLAIN = re.compile(r'[^"\r]*|"[^"\r]*"')
# The csv module refuses a field of more than 131,072 characters; no such line has one.
_LONGEST_LINE = 100_000
# Of each column, some megabytes at most.
_TEXTS_KEPT = 20_000
_LONGEST_KEPT = 40


def read_contents(body: str | bytes, content_type: str) -> Contents:
    """Parse CSV without a header: one car a line, RAW_COLUMNS in their order; `car_name` may be left out.

    Returns a row with the values of CONTENT for each car, NaN for a missing one. Raises BadRequest or
    UnsupportedContentType. An empty line is an error, because a batch transform joins predictions to input
    lines by position.
    """
    if media_type(content_type) != "text/csv":
        raise UnsupportedContentType(f"content type {content_type} is not supported; send text/csv")
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
    except UnicodeDecodeError:
        raise BadRequest("the body is not encoded in UTF-8") from None
    text = text.removeprefix("\ufeff").removesuffix("\n")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    contents = _read_columns(lines)
    return _read_records(lines) if contents is None else contents


def write_predictions(predictions: NDArray[np.float32], accept: str) -> tuple[str, str]:
    """The response body and its content type: one number a line, or the built-in algorithm's JSON.

    Raises UnacceptableType.
    """
    wanted = accepted(accept)
    if "application/json" in wanted:
        scores = [{"score": float(str(prediction))} for prediction in predictions]
        return json.dumps({"predictions": scores}), "application/json"
    if not {"text/csv", "text/*", "*/*"}.isdisjoint(wanted):
        return "".join(f"{prediction!s}\n" for prediction in predictions), "text/csv"
    raise UnacceptableType(f"{accept} cannot be given; accept text/csv or application/json")


def _read_columns(lines: Sequence[str]) -> Contents | None:
    """The same for lines with equal numbers of plain fields, many times as fast; None for any others."""
    try:
        names = _columns(lines[0].split(","))
        if {line.count(",") for line in lines} != {len(names) - 1} or max(map(len, lines)) > _LONGEST_LINE:
            return None
        # One list of all fields: a list for each line makes Python look for garbage again and again.
        fields = ",".join(lines).split(",")
        columns = {name: fields[place :: len(names)] for place, name in enumerate(names)}
        if not all(map(_PLAIN.fullmatch, set(columns.get(_NAME, ())))):
            return None
        contents = np.empty((len(CONTENT), len(lines)))
        for row, column in zip(contents, CONTENT, strict=True):
            row[:] = list(map(_VALUES[column].__getitem__, columns[column]))
    except (BadCar, BadValue):
        return None
    return contents.T


class _Values(dict[str, float]):
    """The values of a column by their texts, of which even millions of cars have few."""

    def __init__(self, column: str) -> None:
        super().__init__()
        self._column = column

    def __missing__(self, text: str) -> float:
        value = read_value(self._column, text)
        number = math.nan if value is None else float(value)
        if len(self) < _TEXTS_KEPT and len(text) <= _LONGEST_KEPT:
            self[text] = number
        return number


_VALUES = {column: _Values(column) for column in CONTENT}


def _read_records(lines: Sequence[str]) -> Contents:
    cars = [_read_record(line, number) for number, line in enumerate(lines, start=1)]
    return np.array([_CONTENT(car) for car in cars], dtype=np.float64)


def _read_record(line: str, number: int) -> Car:
    try:
        fields = next(csv.reader([line], strict=True, skipinitialspace=True))
        return read_car(dict(zip(_columns(fields), fields, strict=True)))
    except (csv.Error, BadCar) as error:
        raise BadRequest(f"record {number}: {error}") from None


def _columns(fields: Sequence[str]) -> Sequence[str]:
    if len(fields) == len(RAW_COLUMNS):
        return RAW_COLUMNS
    if len(fields) == len(RAW_COLUMNS) - 1:
        return RAW_COLUMNS[:-1]
    found = f"has {len(fields)} fields" if any(fields) else "is empty"
    raise BadCar(
        [f"{found}; expected {len(RAW_COLUMNS)}: {','.join(RAW_COLUMNS)} (the name may be left out)"]
    )
