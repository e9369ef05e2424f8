"""The evaluation of a model: the evaluation job writes it, and every later step reads it.

The review page, the mails, the command line and the registry know no workload; they show an `Evaluation`.
Standard library only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Protocol

from common import lenient
from common.drift import Drift, QualityChange, read_drift, read_quality_change
from common.figures import Bars, Figure, Matrix, Picture, Pictures, Scatter, read_figure

__all__ = [
    "Bars", "Baseline", "Better", "Champion", "Comparison", "Evaluation", "Figure", "Gate", "Matrix",
    "Measurement", "Metric", "OnnxCheck", "Picture", "Pictures", "Scatter", "SmokeTest", "Values", "parse",
]  # fmt: skip

Better = Literal["lower", "higher"]


class Values(Protocol):
    """What a list of numbers and an array of NumPy have in common."""

    def __len__(self) -> int: ...
    def __getitem__(self, place: slice, /) -> Any: ...


@dataclass(frozen=True)
class Metric:
    """A measurement on the test rows. People read `label` and `unit`; `better` is the better direction."""

    name: str
    label: str
    value: float
    unit: str = ""
    better: Better = "lower"


@dataclass(frozen=True)
class Gate:
    """The limit that a model must meet before a person is asked about it: either `at_most` or `at_least`."""

    metric: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def limit(self) -> float:
        """The number; NaN, which no value passes, if neither limit is set."""
        return next((value for value in (self.at_most, self.at_least) if value is not None), math.nan)

    @property
    def words(self) -> str:
        """`at most` or `at least`."""
        return "at least" if self.at_least is not None else "at most"

    def passed(self, value: float) -> bool:
        """Whether a model with this value of the metric passes."""
        return value >= self.limit if self.at_least is not None else value <= self.limit


@dataclass(frozen=True)
class Baseline:
    """The gate's metric for the simplest guess, such as the mean of the training labels."""

    label: str
    value: float


@dataclass(frozen=True)
class Comparison:
    """The new model's gate metric minus the champion's on the same `rows`, by a paired bootstrap.

    `low` and `high` bound the difference at the confidence `level`, from that many `resamples` of the rows.
    """

    difference: float
    low: float
    high: float
    level: float
    rows: int
    resamples: int


@dataclass(frozen=True)
class Champion:
    """The gate's metric for the newest approved model, on the same rows.

    `change` sets it beside the metric at that model's approval.
    """

    model_package_arn: str
    value: float
    comparison: Comparison | None = None
    change: QualityChange | None = None


@dataclass(frozen=True)
class OnnxCheck:
    """How far `model.onnx` is from the native model over the test rows; `digests["onnx"]` names the file."""

    rows: int
    largest_difference: float
    tolerance: float
    bytes: int


@dataclass(frozen=True)
class SmokeTest:
    """Test rows as a caller sends them, and the evaluated model's answer, line by line.

    A released model must answer the same: numbers within `tolerance` times max(1, |number|), all else equal.
    """

    content_type: str
    accept: str
    rows: int
    request: str
    answer: str
    tolerance: float


@dataclass(frozen=True)
class Measurement:
    """What a workload's `measure` returns.

    `metrics` includes the gate's metric; the most important ones come first. `model_quality` has the same
    numbers in SageMaker's layout: `{"regression_metrics": {...}}` or
    `{"multiclass_classification_metrics": {...}}`.
    `batch_columns` names the columns of a CSV line of batch output. `gate_values` has a value for each test
    row, in the rows' order, whose mean is the gate's metric, as a list or as an array of NumPy, which tens of
    millions need; None if the metric is no such mean.
    """

    metrics: Sequence[Metric]
    baseline: Baseline
    model_quality: Mapping[str, Any]
    figures: Sequence[Figure] = ()
    batch_columns: Sequence[str] = ()
    warnings: Sequence[str] = ()
    smoke_test: SmokeTest | None = None
    gate_values: Values | None = None

    def value(self, name: str) -> float:
        """The value of a metric. Raises KeyError."""
        return {metric.name: metric.value for metric in self.metrics}[name]


@dataclass(frozen=True)
class Evaluation:
    """`evaluation.json`. A field that a file lacks is empty.

    `batch_files` is the number of files with rows to predict. `drift` compares the upload with the baseline
    of the newest approved model; None without such a model.
    """

    workload: str = ""
    title: str = ""
    metrics: Sequence[Metric] = ()
    gate: Gate = field(default_factory=lambda: Gate(""))
    baseline: Baseline | None = None
    champion: Champion | None = None
    champion_problem: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    batch_columns: Sequence[str] = ()
    batch_files: int = 1
    digests: Mapping[str, str] = field(default_factory=dict)
    figures: Sequence[Figure] = ()
    onnx: OnnxCheck | None = None
    smoke_test: SmokeTest | None = None
    drift: Drift | None = None

    @property
    def gate_metric(self) -> Metric | None:
        """The metric that the gate limits; None if it was not measured."""
        return next((metric for metric in self.metrics if metric.name == self.gate.metric), None)

    @property
    def passed(self) -> bool:
        """Whether the model passes the gate."""
        return self.gate_metric is not None and self.gate.passed(self.gate_metric.value)

    def to_json(self) -> dict[str, Any]:
        """The content of evaluation.json, ready for `json.dumps`."""
        gate = {name: value for name, value in asdict(self.gate).items() if value is not None}
        figures = [{"kind": figure.kind, **asdict(figure)} for figure in self.figures]
        return {
            **asdict(self),
            "gate": {**gate, "passed": self.passed},
            "figures": figures,
            "drift": self.drift.to_json() if self.drift else None,
        }

    def summary(self) -> dict[str, Any]:
        """The same for logs, executions and records, without what is too large for them: figures, smoke test
        and histograms."""
        small = replace(self, drift=self.drift and self.drift.without_histograms())
        return {
            name: value for name, value in small.to_json().items() if name not in ("figures", "smoke_test")
        }

    @classmethod
    def from_json(cls, content: object) -> Evaluation:
        """Read the result of `to_json`. Never raises: missing and malformed fields are left out."""
        found = lenient.mapping(content)
        gate = lenient.mapping(found.get("gate"))
        return cls(
            workload=lenient.text(found.get("workload")),
            title=lenient.text(found.get("title")),
            metrics=tuple(m for m in map(_metric, lenient.items(found.get("metrics"))) if m),
            gate=Gate(
                lenient.text(gate.get("metric")),
                lenient.number(gate.get("at_most")),
                lenient.number(gate.get("at_least")),
            ),
            baseline=_baseline(lenient.mapping(found.get("baseline"))),
            champion=_champion(lenient.mapping(found.get("champion"))),
            champion_problem=lenient.text(found.get("champion_problem")),
            rows=_counts(lenient.mapping(found.get("rows"))),
            warnings=tuple(map(lenient.text, lenient.items(found.get("warnings")))),
            batch_columns=tuple(map(lenient.text, lenient.items(found.get("batch_columns")))),
            batch_files=int(lenient.number(found.get("batch_files")) or 1),
            digests={str(k): lenient.text(v) for k, v in lenient.mapping(found.get("digests")).items()},
            figures=tuple(f for f in map(read_figure, lenient.items(found.get("figures"))) if f),
            onnx=_onnx(lenient.mapping(found.get("onnx"))),
            smoke_test=_smoke_test(lenient.mapping(found.get("smoke_test"))),
            drift=read_drift(found.get("drift")),
        )


def parse(text: str) -> Evaluation:
    """The evaluation in a text; an empty one if the text is not JSON."""
    try:
        return Evaluation.from_json(json.loads(text))
    except (ValueError, RecursionError):
        return Evaluation()


def _metric(content: object) -> Metric | None:
    found = lenient.mapping(content)
    value = lenient.number(found.get("value"))
    if value is None or not found.get("name"):
        return None
    better: Better = "higher" if found.get("better") == "higher" else "lower"
    name = lenient.text(found["name"])
    return Metric(
        name, lenient.text(found.get("label")) or name, value, lenient.text(found.get("unit")), better
    )


def _baseline(found: Mapping[str, Any]) -> Baseline | None:
    value = lenient.number(found.get("value"))
    return None if value is None else Baseline(lenient.text(found.get("label")), value)


def _champion(found: Mapping[str, Any]) -> Champion | None:
    value = lenient.number(found.get("value"))
    if value is None:
        return None
    comparison = _comparison(lenient.mapping(found.get("comparison")))
    change = read_quality_change(found.get("change"))
    return Champion(lenient.text(found.get("model_package_arn")), value, comparison, change)


def _comparison(found: Mapping[str, Any]) -> Comparison | None:
    numbers = _numbers(found, ("difference", "low", "high", "level", "rows", "resamples"))
    if not numbers:
        return None
    difference, low, high, level, rows, resamples = numbers
    return Comparison(difference, low, high, level, int(rows), int(resamples))


def _onnx(found: Mapping[str, Any]) -> OnnxCheck | None:
    numbers = _numbers(found, ("rows", "largest_difference", "tolerance", "bytes"))
    return OnnxCheck(int(numbers[0]), numbers[1], numbers[2], int(numbers[3])) if numbers else None


def _smoke_test(found: Mapping[str, Any]) -> SmokeTest | None:
    numbers = _numbers(found, ("rows", "tolerance"))
    if not numbers:
        return None
    content_type, accept, request, answer = (
        lenient.text(found.get(name)) for name in ("content_type", "accept", "request", "answer")
    )
    return SmokeTest(content_type, accept, int(numbers[0]), request, answer, numbers[1])


def _numbers(found: Mapping[str, Any], names: Sequence[str]) -> list[float]:
    """The numbers of these names; none if one is missing."""
    numbers = [lenient.number(found.get(name)) for name in names]
    return [number for number in numbers if number is not None] if None not in numbers else []


def _counts(found: Mapping[str, Any]) -> dict[str, int]:
    numbers = {str(name): lenient.number(value) for name, value in found.items()}
    return {name: int(number) for name, number in numbers.items() if number is not None}
