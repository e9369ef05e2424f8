"""What the review page shows besides the figures: the test predictions to plot, the first batch predictions.

They lie in S3. When they cannot be read, the page does without them: a person can decide by the figures.
"""

import csv
import io
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shared.aws import client
from shared.telemetry import describe_error, logger
from shared.text import one_line

_EVALUATION_LIMIT = 1_000_000
_PREDICTIONS_READ = 16_384
_PREDICTIONS_SHOWN = 6
_POINTS_SHOWN = 200


@dataclass(frozen=True)
class Point:
    """A car of the test set: its mpg and what the model says."""

    actual: float
    predicted: float


@dataclass(frozen=True)
class Details:
    """`predictions` are lines of the batch output: the car's raw columns, then the predicted mpg."""

    points: tuple[Point, ...] = ()
    predictions: tuple[tuple[str, ...], ...] = ()


def read_details(facts: Mapping[str, Any]) -> Details:
    """Never raises for what S3 says or contains."""
    evaluation = _read(f"models/{facts.get('run_id')}/evaluation.json", _EVALUATION_LIMIT)
    predictions = _read(_predictions_key(str(facts.get("predictions_uri") or "")), _PREDICTIONS_READ)
    return Details(parse_points(evaluation), parse_predictions(predictions))


def parse_points(evaluation: str) -> tuple[Point, ...]:
    """The test predictions of an `evaluation.json`; what is no pair of finite numbers is left out."""
    try:
        points = json.loads(evaluation)["test_predictions"][:_POINTS_SHOWN]
        pairs = [(float(point["actual"]), float(point["predicted"])) for point in points]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ()
    return tuple(Point(a, p) for a, p in pairs if math.isfinite(a) and math.isfinite(p))


def parse_predictions(text: str) -> tuple[tuple[str, ...], ...]:
    """The first lines of the batch output; the last of a text that was cut off is left out."""
    whole_lines = text[: text.rfind("\n") + 1] if len(text) >= _PREDICTIONS_READ else text
    try:
        rows = [row for row in csv.reader(io.StringIO(whole_lines)) if row]
    except csv.Error:
        return ()
    return tuple(tuple(one_line(cell, 60) for cell in row) for row in rows[:_PREDICTIONS_SHOWN])


def _read(key: str, limit: int) -> str:
    if not key:
        return ""
    try:
        answer = client("s3").get_object(
            Bucket=os.environ["BUCKET_NAME"], Key=key, Range=f"bytes=0-{limit - 1}"
        )
        return str(answer["Body"].read().decode("utf-8", errors="replace"))
    except (ClientError, BotoCoreError) as error:
        logger.warning("could not read for the page", key=key, **describe_error(error))
        return ""


def _predictions_key(uri: str) -> str:
    prefix = f"s3://{os.environ['BUCKET_NAME']}/"
    if not uri.startswith(prefix):
        return ""
    key = uri.removeprefix(prefix)
    return key if key.endswith(".out") else f"{key.rstrip('/')}/batch.csv.out"
