"""The predictions of a batch transform, as `mpg run` shows them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
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


def show_predictions(screen: Screen, endpoint: Endpoint, result: Result) -> None:
    """Where the predictions are, how many, and the first of them. Notes their number in the result."""
    if result.predictions_uri is None:
        return
    place = urlsplit(result.predictions_uri)
    body = endpoint.client("s3").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
    columns = result.evaluation.batch_columns if result.evaluation else ()
    names, rows = read_predictions(body.decode("utf-8"), columns)
    result.predictions = len(rows)
    screen.heading(f"{len(rows)} predictions in {result.predictions_uri}")
    screen.table(names, [[_cell(cell) for cell in row] for row in rows[:ROWS_SHOWN]])


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
