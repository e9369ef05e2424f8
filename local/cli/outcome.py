"""The outcome of a run: the object that `mpg run --json` prints, and the exit code."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from local.cli.history import Ended

Outcome = Literal[
    "approved",
    "rejected",
    "pending",
    "expired",
    "refused",
    "over_limit",
    "below_threshold",
    "already_processed",
    "failed",
]

_REFUSED = "UploadRefused: "
_BY_ERROR: dict[str, Outcome] = {
    "UploadRefused": "refused",
    "TooManyRuns": "over_limit",
    "ModelQualityTooLow": "below_threshold",
}
_GOOD_ENDS: dict[str, Outcome] = {
    "approved": "approved",
    "rejected": "rejected",
    "expired": "expired",
    "already_processed": "already_processed",
}


@dataclass
class Result:
    """Everything that a script may want to know about one run; unknown values stay None or empty."""

    outcome: Outcome = "failed"
    execution_arn: str | None = None
    error: str | None = None
    cause: str | None = None
    mse: float | None = None
    rmse: float | None = None
    residual_standard_deviation: float | None = None
    threshold: float | None = None
    baseline_mse: float | None = None
    trials: int | None = None
    best_hyperparameters: dict[str, str] = field(default_factory=dict)
    model_package_arn: str | None = None
    predictions: int | None = None
    """Number of rows of predictions."""
    predictions_uri: str | None = None
    mails: list[dict[str, str]] = field(default_factory=list)
    """Subject and text of each mail about this run, in the order sent."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By state, and `total`: from the upload to the approval mail, or to the end if nobody was asked."""

    def as_json(self) -> dict[str, Any]:
        """The object for --json; `total` is the last of the seconds."""
        found = asdict(self)
        found["seconds"] = dict(sorted(self.seconds.items(), key=lambda item: item[0] == "total"))
        return found

    @property
    def exit_code(self) -> int:
        """0: the pipeline worked as it should; 1: file, model or run was refused; 2: it failed."""
        return {"refused": 1, "over_limit": 1, "below_threshold": 1, "failed": 2}.get(self.outcome, 0)

    def take_evaluation(self, evaluation: Mapping[str, Any]) -> None:
        """Record the figures of an evaluation.json."""
        metrics = evaluation["regression_metrics"]
        self.mse = metrics["mse"]["value"]
        self.residual_standard_deviation = metrics["mse"]["standard_deviation"]
        self.rmse = metrics["rmse"]["value"]
        self.baseline_mse = evaluation["baseline"]["mse"]

    def take_end(self, end: Ended, exit_message: str = "") -> None:
        """Record how the execution ended, and the message of the failed job, if there is one."""
        if end.status == "SUCCEEDED":
            self.outcome = _GOOD_ENDS.get(str(end.output.get("outcome")), "failed")
            return
        self.outcome = _BY_ERROR.get(end.error, "failed")
        self.error = end.error or end.status
        self.cause = end.cause or None
        if exit_message.startswith(_REFUSED):
            # preprocess.py reports this for a file that was too large to be checked completely beforehand.
            self.outcome, self.error = "refused", "UploadRefused"
            self.cause = exit_message.removeprefix(_REFUSED)


def exit_message(sagemaker: Any, end: Ended) -> str:
    """The message of the processing job that failed the execution; "" if there is none."""
    try:
        job = json.loads(end.cause)["ProcessingJobName"]
    except (ValueError, TypeError, KeyError):
        return ""
    return str(sagemaker.describe_processing_job(ProcessingJobName=job).get("ExitMessage", ""))
