"""How new data and a model's answers to it differ from the model's baseline.

Jobs write a `Drift` and a `QualityChange`; the pages, the mails, the command line and the metrics show them
for any workload. Standard library only.
"""

from __future__ import annotations

import math
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
    MISSING: "Difference of the missing shares",
}

# The most tests and histograms: an evaluation stays below 1 MB, and the data of an execution below 256 KiB.
_IN_FILES, _IN_RECORDS = (500, 100), (100, 0)
# Shares add up to 1 but for the rounding.
_ROUNDING = 1e-6


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

    @property
    def excess(self) -> float:
        """How many times the threshold the statistic is."""
        return self.statistic / self.threshold if self.threshold > 0 else math.inf


@dataclass(frozen=True)
class Drift:
    """The comparison of some rows with a model's baseline.

    `problem` is a sentence that says why nothing was judged, such as too few rows; `tests` are then empty.
    `significance` is the probability of any false alarm among all tests. `left_out` counts the tests that a
    file had no room for.
    """

    model_package_arn: str
    baseline_rows: int
    rows: int
    significance: float
    tests: Sequence[FeatureTest] = ()
    problem: str = ""
    left_out: int = 0

    @property
    def drifted(self) -> bool:
        """Whether any test found a drift."""
        return any(test.drifted for test in self.tests)

    @property
    def drifted_tests(self) -> list[FeatureTest]:
        """The tests that found a drift, the one that exceeds its threshold most first."""
        return sorted((test for test in self.tests if test.drifted), key=lambda test: -test.excess)

    @property
    def drifted_features(self) -> list[str]:
        """The features that drifted, each once, the one that exceeds a threshold most first."""
        return list(dict.fromkeys(test.name for test in self.drifted_tests))

    def to_json(self) -> dict[str, Any]:
        """Ready for `json.dumps`, and small enough for a file, however many features there are."""
        return {**asdict(self.shortened(*_IN_FILES)), "drifted": self.drifted}

    def without_histograms(self) -> Drift:
        """The same for logs, executions and records, which hold even less than a file."""
        return self.shortened(*_IN_RECORDS)

    def shortened(self, most_tests: int, most_histograms: int) -> Drift:
        """At most so many tests and histograms, in their order; those that found a drift have precedence."""
        tests = self.tests
        ranked = sorted(range(len(tests)), key=lambda at: (not tests[at].drifted, -tests[at].excess))
        drawn = set([at for at in ranked if self.tests[at].histogram][:most_histograms])
        kept = tuple(
            self.tests[at] if at in drawn else replace(self.tests[at], histogram=None)
            for at in sorted(ranked[:most_tests])
        )
        return replace(self, tests=kept, left_out=self.left_out + len(self.tests) - len(kept))


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
        baseline_rows=_count(found.get("baseline_rows")),
        rows=_count(found.get("rows")),
        significance=lenient.number(found.get("significance")) or 0.0,
        tests=tuple(test for test in map(_test, lenient.items(found.get("tests"))) if test),
        problem=lenient.text(found.get("problem")),
        left_out=_count(found.get("left_out")),
    )


def read_quality_change(content: object) -> QualityChange | None:
    """A QualityChange from JSON; None if it is malformed."""
    found = lenient.mapping(content)
    names = ("at_approval", "now", "low", "high", "level", "rows")
    numbers = {name: lenient.number(found.get(name)) for name in names}
    known = {name: value for name, value in numbers.items() if value is not None}
    if len(known) < len(names) or known["low"] > known["high"]:
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


def _count(content: object) -> int:
    return max(0, int(lenient.number(content) or 0))


def _test(content: object) -> FeatureTest | None:
    found = lenient.mapping(content)
    name = lenient.text(found.get("name"))
    statistic, threshold = lenient.number(found.get("statistic")), lenient.number(found.get("threshold"))
    if statistic is None or threshold is None or not name:
        return None
    return FeatureTest(
        name=name,
        test=lenient.text(found.get("test")),
        statistic=statistic,
        threshold=threshold,
        drifted=found.get("drifted") is True,
        histogram=_histogram(lenient.mapping(found.get("histogram"))),
    )


def _histogram(found: Mapping[str, Any]) -> Histogram | None:
    edges, baseline, current = (_numbers(found.get(name)) for name in ("edges", "baseline", "current"))
    labels = [lenient.text(label) for label in lenient.items(found.get("labels"))]
    bins = len(labels) or len(edges) - 1
    if bins < 1 or not bins == len(baseline) == len(current) or edges != sorted(edges):
        return None
    if not all(0 <= share <= 1 + _ROUNDING for share in (*baseline, *current)):
        return None
    return Histogram([] if labels else edges, labels, baseline, current)


def _numbers(content: object) -> list[float]:
    """The array's numbers; none unless all of it are numbers."""
    numbers = [lenient.number(value) for value in lenient.items(content)]
    known = [number for number in numbers if number is not None]
    return known if len(known) == len(numbers) else []
