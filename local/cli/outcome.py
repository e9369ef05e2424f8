"""The outcome of a run: the object that `mpg run --json` prints, and the exit code."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from common.drift import QualityChange
from common.evaluation import Evaluation
from common.uploads import REFUSED
from common.workload import Workload
from costs.run_costs import RunCost
from local.cli.history import Ended
from local.cli.release import Release

Outcome = Literal[
    "approved",
    "rejected",
    "pending",
    "expired",
    "refused",
    "over_limit",
    "too_expensive",
    "below_threshold",
    "already_processed",
    "not_started",
    "failed",
]

_BY_ERROR: dict[str, Outcome] = {
    REFUSED: "refused",
    "TooManyRuns": "over_limit",
    "RunTooExpensive": "too_expensive",
    "ModelQualityTooLow": "below_threshold",
}
_GOOD_ENDS: dict[str, Outcome] = {
    "approved": "approved",
    "rejected": "rejected",
    "expired": "expired",
    "already_processed": "already_processed",
}
# A release that a newer approval overtook is none that failed.
_GOOD_RELEASES = ("live", "superseded")


@dataclass
class Result:
    """Everything that a script may want to know about one run; unknown values stay None or empty."""

    outcome: Outcome = "failed"
    workload: str | None = None
    reason: str = "upload"
    """Why the run was started: `upload`, `schedule`, `drift` or `retrain`."""
    execution_arn: str | None = None
    error: str | None = None
    cause: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    """By name, on the test rows."""
    gate: dict[str, Any] = field(default_factory=dict)
    """`metric`, `at_most` or `at_least`, and `passed`, which is None before the evaluation."""
    evaluation: Evaluation | None = None
    trials: int | None = None
    best_hyperparameters: dict[str, str] = field(default_factory=dict)
    reused: dict[str, str] = field(default_factory=dict)
    """The earlier run whose result was reused, by step: `preprocess`, `tune`, `evaluate`."""
    model_package_arn: str | None = None
    predictions: int | None = None
    """Number of rows of predictions."""
    predictions_uri: str | None = None
    mails: list[dict[str, str]] = field(default_factory=list)
    """Subject and text of each mail about this run, in the order sent."""
    endpoint: dict[str, Any] | None = None
    """Where the approved model answers; None if no endpoint was to be released."""
    cost: RunCost | None = None
    """What the jobs would have cost on AWS; in the JSON object `cost_usd`, by step, and `total`."""
    estimate_usd: float | None = None
    """What the run was expected to cost before it started; None without an earlier run."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By state, and `total`: from the upload to the approval mail, or to the end if nobody was asked."""

    def as_json(self) -> dict[str, Any]:
        """The object for --json; `total` stands last among the seconds.

        Each metric has a key of its own, too, and so have the gate's limit and the baseline.
        """
        found = asdict(replace(self, evaluation=None, cost=None))
        del found["evaluation"], found["cost"]
        found |= {"drift": self._drift(), "champion": self._champion()}
        found["cost_usd"] = {"total": self.cost.total, **self.cost.steps} if self.cost else None
        found["seconds"] = dict(sorted(self.seconds.items(), key=lambda item: item[0] == "total"))
        return {**found, **self._figures()}

    def _figures(self) -> dict[str, float | None]:
        metric, baseline = self.gate.get("metric"), self.evaluation and self.evaluation.baseline
        if not metric:
            return {}
        return {
            metric: None,
            **self.metrics,
            "threshold": self.gate.get("at_most", self.gate.get("at_least")),
            f"baseline_{metric}": baseline.value if baseline else None,
        }

    def _drift(self) -> dict[str, Any] | None:
        """What the upload's comparison with the approved model's data found; None without such a model."""
        drift = self.evaluation and self.evaluation.drift
        if not drift:
            return None
        found = drift.without_histograms().to_json()
        names = ("name", "test", "statistic", "threshold", "drifted")
        features = [{name: test[name] for name in names} for test in found.pop("tests")]
        return {"drifted": found.pop("drifted"), "features": features, **found}

    def _champion(self) -> dict[str, Any] | None:
        """The approved model's error; None without such a model, or if it could not be measured."""
        champion = self.evaluation and self.evaluation.champion
        if not champion:
            return None
        unknown = dict.fromkeys(field_.name for field_ in fields(QualityChange))
        change = asdict(champion.change) if champion.change else unknown
        return {"model_package_arn": champion.model_package_arn, "value": champion.value, **change}

    @property
    def exit_code(self) -> int:
        """0: all worked as it should; 1: file, model or run was refused; 2: pipeline or release failed."""
        if self.outcome == "approved":
            return 2 if self.error else 0
        refused = ("refused", "over_limit", "too_expensive", "below_threshold", "not_started")
        return {**dict.fromkeys(refused, 1), "failed": 2}.get(self.outcome, 0)

    def take_workload(self, workload: Workload, parameters: Mapping[str, str]) -> None:
        """Note what the file is for, and its gate; a stack parameter may set the limit."""
        self.workload = workload.name
        given = dict(workload.settings["gate"])
        own = parameters.get(given.pop("parameter", ""))
        limits = {name: float(own or value) for name, value in given.items() if name != "metric"}
        self.gate = {"metric": given["metric"], **limits, "passed": None}

    def take_release(self, release: Release) -> None:
        """Note how the approved model's release ended."""
        self.endpoint = release.as_json()
        if release.record.status not in _GOOD_RELEASES:
            self.error, self.cause = "ReleaseFailed", release.record.reason

    def take_reused(self, step: str, found: Mapping[str, Any]) -> None:
        """Note that a step's result was reused; that of tuning says how the model was tuned."""
        self.reused[step] = str(found["run_id"])
        self.best_hyperparameters |= found.get("best_hyperparameters", {})
        self.trials = found.get("trials", self.trials)

    def take_evaluation(self, evaluation: Evaluation) -> None:
        """Note the figures of an evaluation."""
        self.evaluation = evaluation
        self.metrics = {metric.name: metric.value for metric in evaluation.metrics}
        self.gate = evaluation.to_json()["gate"]

    def take_end(self, end: Ended, exit_message: str = "") -> None:
        """Record how the execution ended, and the message of the failed job, if there is one."""
        if end.status == "SUCCEEDED":
            self.outcome = _GOOD_ENDS.get(str(end.output.get("outcome")), "failed")
            return
        self.outcome = _BY_ERROR.get(end.error, "failed")
        self.error = end.error or end.status
        self.cause = end.cause or None
        if exit_message.startswith(f"{REFUSED}: "):
            # Preprocessing says so of a file that was too large to be checked whole beforehand.
            self.outcome, self.error = "refused", REFUSED
            self.cause = exit_message.removeprefix(f"{REFUSED}: ")


def exit_message(sagemaker: Any, end: Ended) -> str:
    """The message of the processing job that failed the execution; "" if there is none."""
    try:
        job = json.loads(end.cause)["ProcessingJobName"]
    except (ValueError, TypeError, KeyError):
        return ""
    return str(sagemaker.describe_processing_job(ProcessingJobName=job).get("ExitMessage", ""))
