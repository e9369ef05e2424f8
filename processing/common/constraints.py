"""What a baseline suggests of later rows, and what of that they break, in Model Monitor's layouts.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-constraints.html
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-interpreting-violations.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from common import lenient
from common.baseline import Baseline, Feature, Number
from common.columns import Column, Columns
from common.drift import MISSING, Drift, FeatureTest

# The share of values of another type, and of unknown categories, that is no violation yet.
_TOLERATED = 0.1
_SHOWN = 3


def constraints(baseline: Baseline, distance: float) -> dict[str, Any]:
    """The content of constraints.json. `distance` is the smallest one that counts as a drift."""
    return {
        "version": 0.0,
        "features": [_constraint(name, feature) for name, feature in baseline.features.items()],
        "monitoring_config": {
            "evaluate_constraints": "Enabled",
            "emit_metrics": "Enabled",
            "datatype_check_threshold": _TOLERATED,
            "domain_content_threshold": _TOLERATED,
            "distribution_constraints": {
                "perform_comparison": "Enabled",
                "comparison_threshold": distance,
                # Model Monitor's name of a test that takes the numbers of rows into account.
                "comparison_method": "Robust",
                "categorical_comparison_threshold": distance,
            },
        },
    }


def violations(
    baseline: Baseline, constraints: Mapping[str, Any], now: Columns, drift: Drift
) -> dict[str, Any]:
    """Model Monitor's constraint_violations.json: what in the rows breaks the content of constraints.json.

    Completeness and distribution are violated where the drift tests say so. If they judged nothing, only the
    columns are checked.
    """
    found = list(_column_violations(baseline, now))
    if not drift.problem:
        config = lenient.mapping(constraints.get("monitoring_config"))
        for one in map(lenient.mapping, lenient.items(constraints.get("features"))):
            if one.get("name") in now:
                found += _value_violations(one, now[one["name"]], config)
        found += [_drift_violation(test) for test in drift.tests if test.drifted]
    return {"violations": found}


def _constraint(name: str, feature: Feature) -> dict[str, Any]:
    rows = feature.present + feature.missing
    found = {
        "name": name,
        "inferred_type": feature.inferred_type,
        "completeness": feature.present / rows if rows else 0.0,
    }
    if isinstance(feature, Number):
        found["num_constraints"] = {"is_non_negative": feature.present > 0 and feature.smallest >= 0}
    elif feature.distinct == len(feature.counts):
        found["string_constraints"] = {"domains": sorted(feature.counts)}
    return found


def _column_violations(baseline: Baseline, now: Columns) -> Iterator[dict[str, str]]:
    for name in baseline.features:
        if name not in now:
            yield _violation(name, "missing_column_check", "The baseline has this column; the rows do not.")
    for name in now:
        if name not in baseline.features:
            yield _violation(name, "extra_column_check", "The rows have this column; the baseline does not.")


def _value_violations(
    constraint: Mapping[str, Any], column: Column, config: Mapping[str, Any]
) -> Iterator[dict[str, str]]:
    name, expected = constraint["name"], lenient.text(constraint.get("inferred_type"))
    others = _share_of_other_type(expected, column)
    if others > (lenient.number(config.get("datatype_check_threshold")) or 0.0):
        yield _violation(name, "data_type_check", f"{others:.1%} of the values are not {expected}.")
    domains = lenient.items(lenient.mapping(constraint.get("string_constraints")).get("domains"))
    if domains and not isinstance(column, np.ndarray):
        values = [value for value in column if value is not None]
        unknown = [value for value in values if value not in domains]
        if len(unknown) > (lenient.number(config.get("domain_content_threshold")) or 0.0) * len(values):
            shown = ", ".join(sorted(set(unknown))[:_SHOWN])
            share = len(unknown) / len(values)
            yield _violation(
                name,
                "categorical_values_check",
                f"{share:.1%} of the values were not in the baseline: {shown}.",
            )


def _share_of_other_type(expected: str, column: Column) -> float:
    """Of the values that a column has."""
    if not isinstance(column, np.ndarray):
        return float(expected in ("Integral", "Fractional"))
    if expected == "String":
        return 1.0
    values = column[~np.isnan(column)]
    if expected != "Integral" or not len(values):
        return 0.0
    return float((values != np.floor(values)).mean())


def _drift_violation(test: FeatureTest) -> dict[str, str]:
    kind = "completeness_check" if test.test == MISSING else "baseline_drift_check"
    return _violation(
        test.name, kind, f"The {test.words} {test.statistic:.3g} is above the threshold {test.threshold:.3g}."
    )


def _violation(name: str, kind: str, description: str) -> dict[str, str]:
    return {"feature_name": name, "constraint_check_type": kind, "description": description}
