"""The details that the review page adds to the report: figures, histograms and the first predictions.

They are in S3. If they cannot be read, the page omits them: the report suffices for a decision.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from common.drift import Drift
from common.evaluation import Figure, parse
from model.kept import EVALUATION, LARGEST_EVALUATION, key_of
from model.predictions import Table, parse_predictions
from model.report import Report
from shared.addresses import key_in_bucket
from shared.aws import client
from shared.telemetry import describe_error, logger

_PREDICTIONS_READ = 65_536


@dataclass(frozen=True)
class Details:
    """Figures to draw, predictions to list, and the report's drift with its histograms."""

    figures: Sequence[Figure] = ()
    predictions: Table = field(default_factory=Table)
    drift: Drift | None = None


def read_details(report: Report) -> Details:
    """Read the details. No answer of S3 and no content of a file makes it raise."""
    evaluation = parse(_read(key_of(report.run_id, EVALUATION), LARGEST_EVALUATION))
    predictions = _read(key_in_bucket(report.predictions_uri), _PREDICTIONS_READ)
    cut_off = len(predictions.encode()) >= _PREDICTIONS_READ
    columns = report.evaluation.batch_columns
    return Details(
        evaluation.figures,
        parse_predictions(predictions, columns, cut_off=cut_off),
        _with_histograms(report.evaluation.drift, evaluation.drift),
    )


def _with_histograms(recorded: Drift | None, kept: Drift | None) -> Drift | None:
    """The kept one if it says the same as the recorded one, on which the mail and the decision rest."""
    return kept if kept and kept.without_histograms() == recorded else recorded


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
