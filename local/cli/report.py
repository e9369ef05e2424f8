"""The parts of what `mpg run` shows after the states."""

import csv
import io
from collections.abc import Sequence
from urllib.parse import urlsplit

from local.cli.endpoint import Endpoint, Mail
from local.cli.outcome import Result
from local.cli.screen import Screen
from shared.text import defang

ROWS_SHOWN = 5
CELL_SHOWN = 60
# One line of predictions is the input row, with an upload's columns except mpg, and the prediction.
COLUMNS = (
    *(
        "cylinders",
        "displacement",
        "horsepower",
        "weight",
        "acceleration",
        "model_year",
        "origin",
        "car_name",
    ),
    "predicted mpg",
)


def show_model(screen: Screen, result: Result, tuned: Sequence[str]) -> None:
    """The figures of the evaluation, beside what they must beat, and the hyperparameters that were tuned."""
    if result.mse is None:
        return
    screen.heading("The model, on rows it never saw")
    others = f"the threshold is {result.threshold:g}, predicting the mean gives {result.baseline_mse:.2f}"
    best = ", ".join(f"{name} {_short(result.best_hyperparameters[name])}" for name in tuned)
    screen.facts(
        [
            ("MSE", f"{result.mse:.2f}   ({others})"),
            ("RMSE", f"{result.rmse:.2f}   miles per gallon"),
            ("Deviation", f"{result.residual_standard_deviation:.2f}   standard deviation of the errors"),
            ("Trials", f"{result.trials}, the best with {best}"),
        ]
    )


def show_mail(screen: Screen, mail: Mail) -> None:
    """A mail as it was sent."""
    screen.heading(f"Mail to {mail.to}")
    screen.block(f"Subject: {mail.subject}\n\n{mail.text}")


def show_predictions(screen: Screen, endpoint: Endpoint, result: Result) -> None:
    """Where the predictions are, how many, and the first of them. Notes their number in the result."""
    if result.predictions_uri is None:
        return
    place = urlsplit(result.predictions_uri)
    body = endpoint.client("s3").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
    rows = list(csv.reader(io.StringIO(body.decode("utf-8"))))
    result.predictions = len(rows)
    screen.heading(f"{len(rows)} predictions in {result.predictions_uri}")
    screen.table(COLUMNS, [_rounded(row) for row in rows[:ROWS_SHOWN]])


def show_end(screen: Screen, result: Result) -> None:
    """The last line: how it ended."""
    total = f"{result.seconds['total']:.1f} s"
    words = {
        "approved": f"Approved. {total} from the upload to the approval mail.",
        "rejected": f"Rejected. {total} from the upload to the approval mail.",
        "pending": f"Waiting for a decision. {total} from the upload to the approval mail.",
        "expired": "Nobody decided in time; the model package stays pending.",
        "already_processed": "This version of the file was processed before; nothing was done.",
    }
    screen.line()
    if result.outcome in words:
        screen.line(words[result.outcome], style="bold green")
        return
    reason = {
        "refused": "The file was refused",
        "over_limit": "Nothing was started for the file: too many runs today",
        "below_threshold": "The model is not good enough",
    }
    screen.failure(f"{reason.get(result.outcome, 'The pipeline failed')} after {total}: {result.error}")
    if result.cause:
        screen.line(defang(result.cause))


def _rounded(row: list[str]) -> list[str]:
    cells = [cell if len(cell) <= CELL_SHOWN else f"{cell[: CELL_SHOWN - 3]}..." for cell in row]
    return [*map(defang, cells[:-1]), f"{float(row[-1]):.2f}"] if row else row


def _short(value: str) -> str:
    try:
        return f"{float(value):.3g}"
    except ValueError:
        return value
