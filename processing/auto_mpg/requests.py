"""What callers send to a model of cars, and what they get: the same, whichever library predicts.

numpy and the standard library only.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from auto_mpg.car import RAW_COLUMNS, BadCar, Car, read_car
from common.serving import BadRequest, UnacceptableType, UnsupportedContentType, accepted, media_type


def read_cars(body: str | bytes, content_type: str) -> list[Car]:
    """Parse CSV without a header: one car a line, RAW_COLUMNS in their order; `car_name` may be left out.

    Raises BadRequest or UnsupportedContentType. An empty line is an error, because a batch transform joins
    predictions to input lines by position.
    """
    if media_type(content_type) != "text/csv":
        raise UnsupportedContentType(f"content type {content_type} is not supported; send text/csv")
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
    except UnicodeDecodeError:
        raise BadRequest("the body is not encoded in UTF-8") from None
    lines = text.removeprefix("\ufeff").removesuffix("\n").removesuffix("\r").split("\n")
    return [_read_record(line.removesuffix("\r"), number) for number, line in enumerate(lines, start=1)]


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
