"""How new data and a model's answers to it differ from the model's baseline.

Jobs write a `Drift` and a `QualityChange`; the pages, the mails, the command line and the metrics show them
for any workload. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from common import lenient

KOLMOGOROV_SMIRNOV = "kolmogorov_smirnov"
WASSERSTEIN = "wasserstein"
JENSEN_SHANNON = "jensen_shannon"
MISSING = "missing"
# How people read the name of a test.
TESTS = {
    KOLMOGOROV_SMIRNOV: "Kolmogorov-Smirnov distance",
    WASSERSTEIN: "Wasserstein distance",
    JENSEN_SHANNON: "Jensen-Shannon distance",
    MISSING: "difference of the missing shares",
}


@dataclass(frozen=True)
class Histogram:
    """Shares of the rows with a value, in the baseline and now.

    A number's bins have `edges`, one more than there are bins; a category's have `labels`. The other one of
    the two is empty.
    """

    edges: Sequence[float]
    labels: Sequence[str]
    baseline: Sequence[float]
    current: Sequence[float]


@dataclass(frozen=True)
class FeatureTest:
    """One test of one feature, or of the prediction. It drifted if `statistic` is above `threshold`.

    `test` is one of TESTS. The threshold takes the number of tests and of rows into account.
    """

    name: str
    test: str
    statistic: float
    threshold: float
    drifted: bool
    histogram: Histogram | None = None

    @property
    def words(self) -> str:
        """The test's name for people."""
        return TESTS.get(self.test, self.test)


@dataclass(frozen=True)
class Drift:
    """The comparison of some rows with a model's baseline.

    `problem` says why nothing was judged, such as too few rows; `tests` are then empty. `significance` is the
    probability of any false alarm among all tests.
    """

    model_package_arn: str
    baseline_rows: int
    rows: int
    significance: float
    tests: Sequence[FeatureTest] = ()
    problem: str = ""

    @property
    def drifted(self) -> bool:
        """Whether any test found a drift."""
        return any(test.drifted for test in self.tests)

    @property
    def drifted_features(self) -> list[str]:
        """The features that drifted, each once, in their order."""
        return list(dict.fromkeys(test.name for test in self.tests if test.drifted))

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        return {**asdict(self), "drifted": self.drifted}

    def without_histograms(self) -> Drift:
        """The same for logs, executions and records."""
        return replace(self, tests=[replace(test, histogram=None) for test in self.tests])


@dataclass(frozen=True)
class QualityChange:
    """A model's error now and at its approval, as the gate's metric; both on rows that did not train it.

    `low` and `high` bound now minus then at the confidence `level`. `degraded` if all of the interval is on
    the worse side.
    """

    metric: str
    label: str
    better: str
    at_approval: float
    now: float
    low: float
    high: float
    level: float
    rows: int
    degraded: bool


def read_drift(content: object) -> Drift | None:
    """The result of `Drift.to_json`. Never raises: None if it is none, malformed tests are left out."""
    found = lenient.mapping(content)
    if not found:
        return None
    return Drift(
        model_package_arn=lenient.text(found.get("model_package_arn")),
        baseline_rows=int(lenient.number(found.get("baseline_rows")) or 0),
        rows=int(lenient.number(found.get("rows")) or 0),
        significance=lenient.number(found.get("significance")) or 0.0,
        tests=tuple(test for test in map(_test, lenient.items(found.get("tests"))) if test),
        problem=lenient.text(found.get("problem")),
    )


def read_quality_change(content: object) -> QualityChange | None:
    """A QualityChange from JSON; None if it is malformed."""
    found = lenient.mapping(content)
    names = ("at_approval", "now", "low", "high", "level", "rows")
    numbers = {name: lenient.number(found.get(name)) for name in names}
    known = {name: value for name, value in numbers.items() if value is not None}
    if len(known) < len(names):
        return None
    return QualityChange(
        metric=lenient.text(found.get("metric")),
        label=lenient.text(found.get("label")),
        better="higher" if found.get("better") == "higher" else "lower",
        at_approval=known["at_approval"],
        now=known["now"],
        low=known["low"],
        high=known["high"],
        level=known["level"],
        rows=int(known["rows"]),
        degraded=found.get("degraded") is True,
    )


def _test(content: object) -> FeatureTest | None:
    found = lenient.mapping(content)
    statistic, threshold = lenient.number(found.get("statistic")), lenient.number(found.get("threshold"))
    if statistic is None or threshold is None or not found.get("name"):
        return None
    return FeatureTest(
        name=lenient.text(found["name"]),
        test=lenient.text(found.get("test")),
        statistic=statistic,
        threshold=threshold,
        drifted=found.get("drifted") is True,
        histogram=_histogram(lenient.mapping(found.get("histogram"))),
    )


def _histogram(found: Mapping[str, Any]) -> Histogram | None:
    edges, labels, baseline, current = (
        lenient.items(found.get(name)) for name in ("edges", "labels", "baseline", "current")
    )
    numbers = [lenient.number(value) for value in (*edges, *baseline, *current)]
    bins = len(labels) or len(edges) - 1
    if None in numbers or bins < 1 or not bins == len(baseline) == len(current):
        return None
    return Histogram(edges, [lenient.text(label) for label in labels], baseline, current)
