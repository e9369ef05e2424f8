"""What is known of a model once it was measured: written by the evaluation job, read by everything after it.

The review page, the mails, the command line and the registry know no workload; they show what stands here.
Standard library only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Metric:
    """A measurement on the test rows. `label` and `unit` are for people; `better` says which way is up."""

    name: str
    label: str
    value: float
    unit: str = ""
    better: Better = "lower"


@dataclass(frozen=True)
class Gate:
    """What a model must reach to be put before a person: exactly one of the two limits is set."""

    metric: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def limit(self) -> float:
        """The number itself; NaN, which nothing passes, if there is none."""
        return next((value for value in (self.at_most, self.at_least) if value is not None), math.nan)

    @property
    def words(self) -> str:
        """`at most` or `at least`."""
        return "at least" if self.at_least is not None else "at most"

    def passed(self, value: float) -> bool:
        """Whether the gate lets a model with this value of the metric through."""
        return value >= self.limit if self.at_least is not None else value <= self.limit


@dataclass(frozen=True)
class Baseline:
    """The gate's metric for the simplest guess, such as the mean of the training labels."""

    label: str
    value: float


@dataclass(frozen=True)
class Champion:
    """The gate's metric for the newest approved model, on the same rows."""

    model_package_arn: str
    value: float


@dataclass(frozen=True)
class Scatter:
    """Dots, and the line on which they should be: `diagonal`, `zero` or none."""

    kind: ClassVar[str] = "scatter"
    title: str
    caption: str
    x_label: str
    y_label: str
    points: Sequence[tuple[float, float]]
    line: Literal["diagonal", "zero"] | None = None


@dataclass(frozen=True)
class Bars:
    """Named values to compare."""

    kind: ClassVar[str] = "bars"
    title: str
    caption: str
    rows: Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Matrix:
    """Counts by actual (row) and predicted (column) label."""

    kind: ClassVar[str] = "matrix"
    title: str
    caption: str
    x_label: str
    y_label: str
    labels: Sequence[str]
    counts: Sequence[Sequence[int]]


@dataclass(frozen=True)
class Picture:
    """A PNG in base64, and what is to be seen."""

    png: str
    caption: str


@dataclass(frozen=True)
class Pictures:
    """A row of small pictures."""

    kind: ClassVar[str] = "pictures"
    title: str
    caption: str
    pictures: Sequence[Picture]


Figure = Scatter | Bars | Matrix | Pictures


@dataclass(frozen=True)
class Measurement:
    """What a workload's `measure` finds out about a model.

    `metrics` holds the gate's metric, the most telling ones first. `model_quality` is SageMaker's layout of
    the same: `{"regression_metrics": {...}}` or `{"multiclass_classification_metrics": {...}}`.
    `batch_columns` names the columns of a CSV line of batch output.
    """

    metrics: Sequence[Metric]
    baseline: Baseline
    model_quality: Mapping[str, Any]
    figures: Sequence[Figure] = ()
    batch_columns: Sequence[str] = ()
    warnings: Sequence[str] = ()

    def value(self, name: str) -> float:
        """The value of a metric. Raises KeyError."""
        return {metric.name: metric.value for metric in self.metrics}[name]


@dataclass(frozen=True)
class Evaluation:
    """`evaluation.json`. What was read from elsewhere may lack anything; then it is empty."""

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
    digests: Mapping[str, str] = field(default_factory=dict)
    figures: Sequence[Figure] = ()

    @property
    def gate_metric(self) -> Metric | None:
        """The metric that decides."""
        return next((metric for metric in self.metrics if metric.name == self.gate.metric), None)

    @property
    def passed(self) -> bool:
        """Whether the model may be put before a person."""
        return self.gate_metric is not None and self.gate.passed(self.gate_metric.value)

    def to_json(self) -> dict[str, Any]:
        """As `json.dumps` takes it."""
        gate = {name: value for name, value in asdict(self.gate).items() if value is not None}
        figures = [{"kind": figure.kind, **asdict(figure)} for figure in self.figures]
        return {**asdict(self), "gate": {**gate, "passed": self.passed}, "figures": figures}

    @classmethod
    def from_json(cls, content: object) -> Evaluation:
        """Read what `to_json` gave. What is missing or malformed is left out and never raises."""
        found = _mapping(content)
        gate = _mapping(found.get("gate"))
        return cls(
            workload=_text(found.get("workload")),
            title=_text(found.get("title")),
            metrics=tuple(m for m in map(_metric, _items(found.get("metrics"))) if m),
            gate=Gate(_text(gate.get("metric")), _number(gate.get("at_most")), _number(gate.get("at_least"))),
            baseline=_baseline(_mapping(found.get("baseline"))),
            champion=_champion(_mapping(found.get("champion"))),
            champion_problem=_text(found.get("champion_problem")),
            rows=_counts(_mapping(found.get("rows"))),
            warnings=tuple(map(_text, _items(found.get("warnings")))),
            batch_columns=tuple(map(_text, _items(found.get("batch_columns")))),
            digests={str(k): _text(v) for k, v in _mapping(found.get("digests")).items()},
            figures=tuple(f for f in map(_figure, _items(found.get("figures"))) if f),
        )


def parse(text: str) -> Evaluation:
    """The evaluation in a file; an empty one if the text is no JSON."""
    try:
        return Evaluation.from_json(json.loads(text))
    except (ValueError, RecursionError):
        return Evaluation()


def _metric(content: object) -> Metric | None:
    found = _mapping(content)
    value = _number(found.get("value"))
    if value is None or not found.get("name"):
        return None
    better: Better = "higher" if found.get("better") == "higher" else "lower"
    name = _text(found["name"])
    return Metric(name, _text(found.get("label")) or name, value, _text(found.get("unit")), better)


def _baseline(found: Mapping[str, Any]) -> Baseline | None:
    value = _number(found.get("value"))
    return None if value is None else Baseline(_text(found.get("label")), value)


def _champion(found: Mapping[str, Any]) -> Champion | None:
    value = _number(found.get("value"))
    return None if value is None else Champion(_text(found.get("model_package_arn")), value)


def _counts(found: Mapping[str, Any]) -> dict[str, int]:
    numbers = {str(name): _number(value) for name, value in found.items()}
    return {name: int(number) for name, number in numbers.items() if number is not None}


def _figure(content: object) -> Figure | None:
    found = _mapping(content)
    read = _FIGURES.get(_text(found.get("kind")))
    if read is None:
        return None
    try:
        return read(found)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _scatter(found: Mapping[str, Any]) -> Figure:
    pairs = ((_number(x), _number(y)) for x, y in _items(found["points"]))
    points = [(x, y) for x, y in pairs if x is not None and y is not None]
    line = found.get("line")
    return Scatter(
        *_titles(found),
        _text(found["x_label"]),
        _text(found["y_label"]),
        points,
        line if line in ("diagonal", "zero") else None,
    )


def _bars(found: Mapping[str, Any]) -> Figure:
    rows = [(_text(name), number) for name, value in found["rows"] if (number := _number(value)) is not None]
    return Bars(*_titles(found), rows)


def _matrix(found: Mapping[str, Any]) -> Figure:
    labels = [_text(label) for label in found["labels"]]
    counts = [[int(count) for count in row] for row in found["counts"]]
    if len(counts) != len(labels) or any(len(row) != len(labels) for row in counts):
        raise ValueError("the matrix is not square")
    return Matrix(*_titles(found), _text(found["x_label"]), _text(found["y_label"]), labels, counts)


def _pictures(found: Mapping[str, Any]) -> Figure:
    shown = [Picture(_text(picture["png"]), _text(picture["caption"])) for picture in found["pictures"]]
    return Pictures(*_titles(found), shown)


_FIGURES = {"scatter": _scatter, "bars": _bars, "matrix": _matrix, "pictures": _pictures}


def _titles(found: Mapping[str, Any]) -> tuple[str, str]:
    return _text(found["title"]), _text(found.get("caption"))


def _mapping(content: object) -> Mapping[str, Any]:
    return content if isinstance(content, Mapping) else {}


def _items(content: object) -> Sequence[Any]:
    return content if isinstance(content, list | tuple) else ()


def _text(content: object) -> str:
    return content if isinstance(content, str) else ""


def _number(content: object) -> float | None:
    """A finite number, whole or not."""
    if isinstance(content, bool) or not isinstance(content, int | float):
        return None
    try:
        number = float(content)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
