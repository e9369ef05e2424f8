"""A run's report on its model, read from the request for approval or from the execution's output.

Both are JSON, perhaps from an earlier version of the pipeline. Missing parts are left out.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from common.evaluation import Evaluation, Metric
from common.uploads import MOST_TOGETHER, REPLACED, name_together
from costs.run_costs import RunCost
from costs.words import cost_row
from model.change import Change, model_change
from model.drift_words import data_change, error_change
from shared.text import number, one_line, readable_time

Rows = list[tuple[str, str]]
# What each step of a run leaves behind, in words.
_STEPS = {"preprocess": "prepared data", "tune": "tuned model", "evaluate": "evaluation"}
_PARTS = ("train", "validation", "test", "batch")
_REASONS = {
    "upload": "a file was uploaded",
    "schedule": "retraining on schedule",
    "drift": "retraining after a drift",
    "retrain": "somebody asked for a retraining",
}


@dataclass(frozen=True)
class Report:
    """A model, the file that it was trained on, and how it was tuned. Every text is a single line.

    `reused` has the runs whose results it took, by step; `cost` is None if nobody knows it. `reason` is why
    the run was started; a retraining has `files` of earlier runs, of which `key` is the newest, and says what
    was `left_out`.
    """

    run_id: str
    evaluation: Evaluation
    key: str
    uploaded_at: str
    uploaded_by: str
    hyperparameters: Mapping[str, str]
    trials: str
    predictions_uri: str
    reused: Mapping[str, str]
    reason: str = ""
    files: int = 1
    left_out: str = ""
    cost: RunCost | None = None

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> "Report":
        """Read the facts of a request for approval, or the output of an execution. Never raises."""
        upload = _mapping(facts.get("upload"))
        tuned = _mapping(facts.get("best_hyperparameters"))
        return cls(
            run_id=_text(facts.get("run_id")),
            evaluation=_evaluation(_mapping(facts.get("evaluation"))),
            key=_text(facts.get("key") or upload.get("key")),
            uploaded_at=readable_time(_text(facts.get("uploaded_at"))),
            uploaded_by=" from ".join(
                filter(None, (_text(facts.get(n)) for n in ("uploaded_by", "source_ip")))
            ),
            hyperparameters={_text(name): _text(tuned[name], 40) for name in sorted(tuned)},
            trials=number(facts["trials"]) if facts.get("trials") else "",
            predictions_uri=_text(facts.get("predictions_uri"), 1100),
            reused=_known_steps(_mapping(facts.get("reused"))),
            reason=_text(facts.get("reason"), 40),
            files=_whole(facts.get("files") or upload.get("files")),
            left_out=_text(facts.get("left_out"), 600),
            cost=RunCost.from_json(facts.get("cost")),
        )

    @property
    def result(self) -> str:
        """The gate's metric: `Error 9.53 (at most 46)`; empty if it is unknown."""
        metric = self.evaluation.gate_metric
        return f"{_text(metric.label)} {self.verdict}" if metric else ""

    @property
    def verdict(self) -> str:
        """The same without the metric's name: `9.53 (at most 46)`."""
        metric = self.evaluation.gate_metric
        if metric is None:
            return ""
        return f"{with_unit(metric)} ({self.limit})" if self.limit else with_unit(metric)

    @property
    def limit(self) -> str:
        """The gate's limit: `at most 46`; empty if it has none."""
        gate = self.evaluation.gate
        return f"{gate.words} {number(gate.limit)}" if math.isfinite(gate.limit) else ""

    @property
    def other_metrics(self) -> list[Metric]:
        """All metrics but the gate's."""
        return [metric for metric in self.evaluation.metrics if metric is not self.evaluation.gate_metric]

    @property
    def change(self) -> Change:
        """Whether it is better than the approved model."""
        return model_change(self.evaluation)

    @property
    def data_change(self) -> Change:
        """Whether the upload differs from the approved model's data."""
        return data_change(self.evaluation.drift)

    @property
    def error_change(self) -> Change:
        """How well the approved model does on the upload, beside its approval."""
        champion = self.evaluation.champion
        return error_change(champion.change, champion.model_package_arn) if champion else Change("")

    @property
    def is_retraining(self) -> bool:
        """Whether the run was started on earlier uploads."""
        return self.reason in _REASONS and self.reason != "upload"

    @property
    def not_better(self) -> str:
        """What to say first of a retrained model that is not better than the approved one, or empty."""
        return self.change.not_better if self.is_retraining else ""

    @property
    def champion_problem(self) -> str:
        """Why there is no comparison with an approved model; empty if there is one, or no known reason."""
        if self.evaluation.champion or not self.evaluation.gate_metric:
            return ""
        return _text(self.evaluation.champion_problem, 600) or "No model of this workload is approved yet."

    def reuse(self) -> Rows:
        """What the run took over instead of doing it, with a line for each run that did it."""
        return [
            (
                "Reused",
                f"{_listed([name for step, name in _STEPS.items() if self.reused.get(step) == run_id])} from "
                f"run {run_id}, because data, code and parameters are the same",
            )
            for run_id in dict.fromkeys(self.reused.values())
        ]

    def origin(self) -> Rows:
        """The model's origin, as names and values."""
        rows = self.evaluation.rows
        replaced = rows.get(REPLACED, 0)
        return [
            ("Why it ran", _REASONS.get(self.reason, self.reason)),
            ("File", name_together([self.key] * self.files)),
            ("Left out", self.left_out),
            ("Replaced", f"{number(replaced)} rows, by those of a later file" if replaced else ""),
            ("Uploaded", self.uploaded_at),
            ("Uploaded by", self.uploaded_by),
            ("Rows", ", ".join(f"{number(rows[part])} {part}" for part in _PARTS if part in rows)),
            *self.reuse(),
        ]

    def rows(self) -> Rows:
        """Everything that a mail says about the model, the gate's metric first."""
        found, gate = self.evaluation, self.evaluation.gate_metric
        return [
            (_text(gate.label) if gate else "", self.verdict),
            *((_text(metric.label), with_unit(metric)) for metric in self.other_metrics),
            (
                "Baseline",
                f"{number(found.baseline.value)} ({found.baseline.label})" if found.baseline else "",
            ),
            (
                "Approved model",
                f"{number(found.champion.value)} on the same rows"
                if found.champion
                else self.champion_problem,
            ),
            *(("Warning", warning) for warning in found.warnings),
            ("Workload", _text(found.title) or _text(found.workload)),
            *self.origin(),
            *cost_row(self.cost),
            ("Run", self.run_id),
        ]


def with_unit(metric: Metric) -> str:
    """`2.95 seconds`."""
    return f"{number(metric.value)} {_text(metric.unit)}".strip()


def _evaluation(found: Mapping[str, Any]) -> Evaluation:
    evaluation = Evaluation.from_json(found)
    return evaluation if evaluation.metrics else replace(evaluation, metrics=tuple(_model_quality(found)))


def _model_quality(found: Mapping[str, Any]) -> Iterator[Metric]:
    """The metrics in SageMaker's layout, the only one that earlier versions wrote."""
    for group, metrics in found.items():
        if group.endswith("_metrics"):
            named = [{"name": name, **_mapping(value)} for name, value in _mapping(metrics).items()]
            yield from Evaluation.from_json({"metrics": named}).metrics


def _known_steps(reused: Mapping[str, Any]) -> dict[str, str]:
    return {step: _text(reused[step], 40) for step in _STEPS if reused.get(step)}


def _listed(names: Sequence[str]) -> str:
    """`data`, `data and model`, `data, model and evaluation`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _whole(value: object) -> int:
    """A number of files."""
    return value if isinstance(value, int) and 1 <= value <= MOST_TOGETHER else 1


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object, limit: int = 256) -> str:
    return one_line(str(value or ""), limit)
