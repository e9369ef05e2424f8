"""The predictions of a batch transform, as `mpg run` shows them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from local.cli.endpoint import Endpoint
from local.cli.outcome import Result
from local.cli.screen import Screen, short
from shared.text import defang

ROWS_SHOWN = 5
CELL_SHOWN = 60
# What SageMaker calls the prediction that it joins to a line of JSON
# (https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html).
PREDICTION = "SageMakerOutput"
# Numbered parts of predictions, as the jobs name them.
_PART = re.compile(r"(?P<stem>.+)-\d{5}(?P<suffix>\.[^.]+)\.out")
_FIRST_PART = re.compile(r"(?P<stem>.+)-00000(?P<suffix>\.[^.]+)\.out")
_CHUNK = 1 << 20


def show_predictions(screen: Screen, endpoint: Endpoint, result: Result) -> None:
    """Where the predictions are, how many, and the first of them. Notes their number in the result."""
    if result.predictions_uri is None:
        return
    place = urlsplit(result.predictions_uri)
    store, bucket = endpoint.client("s3"), place.netloc
    keys = _keys(store, bucket, place.path.lstrip("/"))
    count, first = 0, b""
    for key in keys:
        # There may be millions: they are counted as they come, and only the first ones are kept.
        for lines in _wholes(store.get_object(Bucket=bucket, Key=key)["Body"]):
            first = first or lines
            count += lines.count(b"\n") + (not lines.endswith(b"\n"))
    columns = result.evaluation.batch_columns if result.evaluation else ()
    names, rows = read_predictions(first.decode("utf-8"), columns)
    result.predictions = count
    files = f", the first of {len(keys)} files" if len(keys) > 1 else ""
    screen.heading(f"{count} predictions in {result.predictions_uri}{files}")
    screen.table(names, [[_cell(cell) for cell in row] for row in rows[:ROWS_SHOWN]])


def _keys(store: Any, bucket: str, key: str) -> list[str]:
    """The key, or those of all parts, in their order, if it is that of the first part."""
    part = _FIRST_PART.fullmatch(key)
    if part is None:
        return [key]
    pages = store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{part['stem']}-")
    found = (item["Key"] for page in pages for item in page.get("Contents", ()))
    return sorted(key for key in found if (other := _PART.fullmatch(key)) and other["stem"] == part["stem"])


def _wholes(body: BinaryIO) -> Iterator[bytes]:
    """The content, some whole lines at a time."""
    rest = b""
    while chunk := body.read(_CHUNK):
        lines, end, rest = (rest + chunk).rpartition(b"\n")
        if end:
            yield lines + end
    if rest:
        yield rest


def read_predictions(text: str, columns: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Names of columns and rows of texts: of CSV lines, which have these columns, or of lines of JSON."""
    if not text.startswith("{"):
        rows = list(csv.reader(io.StringIO(text)))
        width = max(map(len, rows), default=0)
        names = list(columns) if len(columns) == width else [str(number + 1) for number in range(width)]
        return names, [row + [""] * (width - len(row)) for row in rows]
    lines = [_flat(json.loads(line)) for line in text.splitlines()]
    names = list(dict.fromkeys(name for line in lines for name in line))
    return names, [[str(line.get(name, "")) for name in names] for line in lines]


def _flat(line: dict[str, object]) -> dict[str, object]:
    predicted = line.get(PREDICTION)
    if not isinstance(predicted, dict):
        return line
    return {**{name: value for name, value in line.items() if name != PREDICTION}, **predicted}


def _cell(text: str) -> str:
    shown = short(text)
    return defang(shown if len(shown) <= CELL_SHOWN else f"{shown[: CELL_SHOWN - 3]}...")
