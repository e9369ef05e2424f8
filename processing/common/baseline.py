"""The distribution of each feature and of the prediction when a model was made: what drift is measured from.

A baseline is kept in the layout of Model Monitor's `statistics.json` and `constraints.json`, and can be read
back from the former:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-statistics.html
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-constraints.html
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common import lenient
from common.columns import Column, Columns, Texts, row_count
from common.columns import Numbers as Values
from common.exact_sums import ExactSum

# Rows of an upload that a baseline is made of: enough to place every quantile within 2 %.
SAMPLE = 10_000
# Numbers beyond this count as this, so that their squares have a sum. So do infinities.
LARGEST = 1e150

# Model Monitor's own size of a sketch, and the factor that goes with it (deequ's KLLParameters).
_SKETCH, _SHRINKING = 2048, 0.64
_BUCKETS = 10
_CATEGORIES, _LONGEST_CATEGORY = 100, 100


class BadBaseline(ValueError):
    """A file is no baseline; the message completes a sentence about it."""


@dataclass(frozen=True)
class Number:
    """The values of a number, sorted, each of them standing for `weights` rows."""

    missing: int
    values: Values
    weights: NDArray[np.int64]
    mean: float = 0.0
    deviation: float = 0.0
    smallest: float = 0.0
    largest: float = 0.0
    is_whole: bool = False

    @property
    def present(self) -> int:
        """Rows with a value."""
        return int(self.weights.sum())

    @property
    def inferred_type(self) -> str:
        """Model Monitor's name of the kind."""
        if not self.present:
            return "Unknown"
        return "Integral" if self.is_whole else "Fractional"


@dataclass(frozen=True)
class Category:
    """How many rows have each category, the most frequent ones first; `distinct` counts all categories."""

    missing: int
    present: int
    counts: Mapping[str, int]
    distinct: int

    @property
    def inferred_type(self) -> str:
        """Model Monitor's name of the kind."""
        return "String" if self.present else "Unknown"


Feature = Number | Category


@dataclass(frozen=True)
class Baseline:
    """The features of so many rows, by name."""

    rows: int
    features: Mapping[str, Feature]

    @classmethod
    def of(cls, columns: Columns) -> Baseline:
        """Summarize columns: up to 2,048 values of a number exactly, more as a sketch of them."""
        return cls(row_count(columns), {name: summarize(column) for name, column in columns.items()})

    def statistics(self) -> dict[str, Any]:
        """The content of statistics.json."""
        features = [{"name": name, **_statistics(feature)} for name, feature in self.features.items()]
        return {"version": 0.0, "dataset": {"item_count": self.rows}, "features": features}


def summarize(column: Column, *, whole: bool = False) -> Feature:
    """The summary of one column; `whole` keeps the counts of all its categories."""
    if isinstance(column, np.ndarray):
        return _number(column)
    return _category(column, None if whole else _CATEGORIES)


def read_baseline(statistics_json: str) -> Baseline:
    """The baseline in a statistics.json. Raises BadBaseline."""
    try:
        found = lenient.mapping(json.loads(statistics_json))
        rows = int(found["dataset"]["item_count"])
        features = {str(one["name"]): _read_feature(one) for one in found["features"]}
        if any(feature.present + feature.missing != rows for feature in features.values()):
            raise ValueError("a feature has other rows")
        return Baseline(rows, features)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise BadBaseline("is no statistics.json that this code can read") from error


def _number(column: Values) -> Number:
    is_missing = np.isnan(column)
    # Adding 0 makes a 0 of -0.
    values = np.sort(np.clip(column[~is_missing].astype(np.float64), -LARGEST, LARGEST) + 0.0)
    missing = len(column) - len(values)
    if not len(values):
        return Number(missing, values, np.empty(0, np.int64))
    exact = ExactSum()
    exact.add(values)
    sketch, weights = _sketched(values)
    return Number(
        missing,
        sketch,
        weights,
        mean=exact.mean,
        deviation=exact.deviation,
        smallest=float(values[0]),
        largest=float(values[-1]),
        is_whole=bool((values == np.floor(values)).all()),
    )


def _sketched(values: Values) -> tuple[Values, NDArray[np.int64]]:
    """At most _SKETCH and a few of these sorted values, and the power of 2 of rows that each stands for.

    The rows go into groups of the largest power, and what is left into a group of each smaller one; the
    middle of a group stays. A quantile is off by half a group at most: by less than 1 / _SKETCH of the rows.
    """
    level = ((len(values) - 1) // _SKETCH).bit_length()
    whole, left = divmod(len(values), 1 << level)
    smaller = [1 << power for power in reversed(range(level)) if left >> power & 1]
    weights = np.array([1 << level] * whole + smaller, np.int64)
    starts = np.cumsum(weights) - weights
    return values[starts + weights // 2], weights


def _category(column: Texts, most: int | None) -> Category:
    counted = Counter(value[:_LONGEST_CATEGORY] for value in column if value is not None)
    kept = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:most]
    present = counted.total()
    return Category(len(column) - present, present, dict(kept), len(counted))


def _statistics(feature: Feature) -> dict[str, Any]:
    common = {"num_present": feature.present, "num_missing": feature.missing}
    if isinstance(feature, Category):
        buckets = [{"value": value, "count": count} for value, count in feature.counts.items()]
        return {
            "inferred_type": feature.inferred_type,
            "string_statistics": {
                "common": common,
                "distinct_count": feature.distinct,
                "distribution": {"categorical": {"buckets": buckets}},
            },
        }
    sketch = {"parameters": {"c": _SHRINKING, "k": _SKETCH}, "data": _levels(feature)}
    return {
        "inferred_type": feature.inferred_type,
        "numerical_statistics": {
            "common": common,
            "mean": feature.mean,
            "sum": feature.mean * feature.present,
            "std_dev": feature.deviation,
            "min": feature.smallest,
            "max": feature.largest,
            "distribution": {"kll": {"buckets": _buckets(feature), "sketch": sketch}},
        },
    }


def _buckets(number: Number) -> list[dict[str, float]]:
    if not number.present:
        return []
    edges = np.linspace(number.smallest, number.largest, _BUCKETS + 1)
    places = np.clip(np.searchsorted(edges, number.values, side="right") - 1, 0, _BUCKETS - 1)
    counts = np.bincount(places, number.weights, _BUCKETS).tolist()
    bounds = zip(edges[:-1].tolist(), edges[1:].tolist(), counts, strict=True)
    return [{"lower_bound": low, "upper_bound": high, "count": count} for low, high, count in bounds]


def _levels(number: Number) -> list[list[float]]:
    """The sketch as Model Monitor has it: a value of the level i stands for 2 ** i rows."""
    levels = range(int(number.weights.max(initial=1)).bit_length())
    return [number.values[number.weights == 1 << level].tolist() for level in levels]


def _read_feature(found: Mapping[str, Any]) -> Feature:
    if "string_statistics" in found:
        content = found["string_statistics"]
        counts = {
            str(one["value"]): int(one["count"]) for one in content["distribution"]["categorical"]["buckets"]
        }
        common = content["common"]
        return Category(
            int(common["num_missing"]), int(common["num_present"]), counts, int(content["distinct_count"])
        )
    content = found["numerical_statistics"]
    levels = [np.array(level, np.float64) for level in content["distribution"]["kll"]["sketch"]["data"]]
    values = np.concatenate([np.empty(0), *levels])
    weights = np.repeat(1 << np.arange(len(levels)), [len(level) for level in levels])
    if not np.isfinite(values).all() or weights.sum() != content["common"]["num_present"]:
        raise ValueError("the sketch does not stand for the rows")
    order = np.argsort(values, kind="stable")
    return Number(
        int(content["common"]["num_missing"]),
        values[order],
        weights[order],
        mean=float(content["mean"]),
        deviation=float(content["std_dev"]),
        smallest=float(content["min"]),
        largest=float(content["max"]),
        is_whole=found["inferred_type"] == "Integral",
    )
