"""A baseline suggests constraints, and what breaks them is a violation, in Model Monitor's layouts."""

from typing import Any

import numpy as np
import pytest

from common.baseline import Baseline
from common.columns import Columns
from common.constraints import constraints, violations
from common.drift_tests import compare

ROWS = 400
KNOWN: Columns = {
    "count": np.arange(float(ROWS)) % 5,
    "size": np.linspace(-1, 1, ROWS),
    "kind": ["a", "b", "c", None] * (ROWS // 4),
}


def broken(now: Columns) -> list[tuple[str, str]]:
    baseline = Baseline.of(KNOWN)
    found = violations(baseline, constraints(baseline, 0.1), now, compare(baseline, now, ""))
    return [(one["feature_name"], one["constraint_check_type"]) for one in found["violations"]]


def test_the_layout_is_model_monitors() -> None:
    found = constraints(Baseline.of({**KNOWN, "none": np.full(ROWS, np.nan)}), 0.2)
    assert found["version"] == 0.0
    assert found["features"] == [
        {"name": "count", "inferred_type": "Integral", "completeness": 1.0, "num_constraints": {"is_non_negative": True}},
        {"name": "size", "inferred_type": "Fractional", "completeness": 1.0, "num_constraints": {"is_non_negative": False}},
        {"name": "kind", "inferred_type": "String", "completeness": 0.75, "string_constraints": {"domains": ["a", "b", "c"]}},
        {"name": "none", "inferred_type": "Unknown", "completeness": 0.0, "num_constraints": {"is_non_negative": False}},
    ]  # fmt: skip
    assert found["monitoring_config"]["distribution_constraints"] == {
        "perform_comparison": "Enabled",
        "comparison_threshold": 0.2,
        "comparison_method": "Robust",
        "categorical_comparison_threshold": 0.2,
    }


def test_more_categories_than_are_kept_are_no_domain() -> None:
    many = Baseline.of({"c": [f"{place}" for place in range(101)]})
    assert "string_constraints" not in constraints(many, 0.1)["features"][0]


def test_the_same_rows_break_nothing() -> None:
    assert broken(KNOWN) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"count": np.arange(ROWS) % 5 + 0.5}, [("count", "data_type_check"), ("count", "baseline_drift_check")]),
        ({"count": ["1"] * ROWS}, [("count", "data_type_check")]),
        ({"kind": np.zeros(ROWS)}, [("kind", "data_type_check")]),
        ({"size": np.where(np.arange(ROWS) % 2, np.nan, np.linspace(-1, 1, ROWS))}, [("size", "completeness_check")]),
        ({"kind": ["a", "b", "new", None] * 100}, [("kind", "categorical_values_check"), ("kind", "baseline_drift_check")]),
        ({"more": np.zeros(ROWS)}, [("more", "extra_column_check")]),
    ],
)  # fmt: skip
def test_each_check_has_its_violation(change: Any, expected: list[tuple[str, str]]) -> None:
    assert broken({**KNOWN, **change}) == expected


def test_a_column_may_be_missing() -> None:
    assert broken({name: column for name, column in KNOWN.items() if name != "kind"}) == [
        ("kind", "missing_column_check")
    ]


def test_of_too_few_rows_only_the_columns_are_checked() -> None:
    few = {"count": np.array([0.5]), "other": np.zeros(1)}
    assert {kind for _, kind in broken(few)} == {"missing_column_check", "extra_column_check"}


def test_a_description_is_a_sentence_with_the_numbers() -> None:
    baseline, now = Baseline.of(KNOWN), {**KNOWN, "size": np.linspace(0, 2, ROWS)}
    [first, second] = violations(baseline, constraints(baseline, 0.1), now, compare(baseline, now, ""))[
        "violations"
    ]
    assert first["description"] == "The Kolmogorov-Smirnov distance 0.5 is above the threshold 0.156."
    assert second["description"].startswith("The Wasserstein distance ")


def test_damaged_constraints_leave_the_tests_of_drift() -> None:
    baseline, now = Baseline.of(KNOWN), {**KNOWN, "size": np.linspace(5, 6, ROWS)}
    found = violations(baseline, {"features": ["x", {"name": 7}]}, now, compare(baseline, now, ""))
    assert {one["feature_name"] for one in found["violations"]} == {"size"}
