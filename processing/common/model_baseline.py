"""Writes and reads the files of a model's baseline, in Model Monitor's layouts:

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common import lenient
from common.baseline import BadBaseline, Baseline, read_baseline
from common.baseline_files import CONSTRAINTS, FOLDER, QUALITY, QUALITY_CONSTRAINTS, STATISTICS
from common.bundle import BadArchive, read_files
from common.constraints import constraints
from common.evaluation import Measurement
from common.quality import Quality, read_quality

_METRICS = "_metrics"


class NoBaseline(Exception):
    """A model's archive has no baseline that can be read; `str(error)` is a sentence."""


@dataclass(frozen=True)
class ModelBaseline:
    """What a model's archive says about the data and the errors at its approval.

    `quality` is None if the gate's metric is no mean over rows, or if there were too few of them.
    """

    data: Baseline
    constraints: Mapping[str, Any]
    quality: Quality | None


def write_model_baseline(
    folder: Path, data: Baseline, distance: float, measured: Measurement, gate_metric: str
) -> None:
    """Write the files below a folder. `distance` is the smallest one that counts as a drift."""
    metric = next(metric for metric in measured.metrics if metric.name == gate_metric)
    quality = None if measured.gate_values is None else Quality.of(metric, measured.gate_values)
    rows = {} if measured.gate_values is None else {"item_count": len(measured.gate_values)}
    gate = {"gate": asdict(quality)} if quality else {}
    contents: dict[str, dict[str, Any]] = {
        STATISTICS: data.statistics(),
        CONSTRAINTS: constraints(data, distance),
        QUALITY: {"version": 0.0, "dataset": rows, **measured.model_quality, **gate},
        QUALITY_CONSTRAINTS: {"version": 0.0, **_quality_constraints(measured)},
    }
    (folder / FOLDER).mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content, allow_nan=False) + "\n", encoding="utf-8")


def read_model_baseline(archive: Path) -> ModelBaseline:
    """The baseline in a model.tar.gz. Raises NoBaseline."""
    try:
        found = read_files(archive, {STATISTICS, CONSTRAINTS, QUALITY})
    except BadArchive:
        raise NoBaseline(
            "The approved model was registered without a baseline. The next one will have one."
        ) from None
    try:
        data = read_baseline(found[STATISTICS].decode())
        limits = lenient.mapping(json.loads(found[CONSTRAINTS]))
        return ModelBaseline(data, limits, read_quality(json.loads(found[QUALITY])))
    except (BadBaseline, ValueError, RecursionError):
        raise NoBaseline(
            "The baseline of the approved model is damaged. The next model will have one."
        ) from None


def _quality_constraints(measured: Measurement) -> dict[str, Any]:
    """Each metric that is a number, limited by what was measured."""
    better = {metric.name: metric.better for metric in measured.metrics}
    found = {}
    for kind, metrics in measured.model_quality.items():
        # Of a regression most metrics are errors, of a classification most are scores.
        usual = "lower" if kind.startswith("regression") else "higher"
        limits = {}
        for name, metric in lenient.mapping(metrics).items():
            value = lenient.number(lenient.mapping(metric).get("value"))
            if value is not None:
                side = "GreaterThan" if better.get(name, usual) == "lower" else "LessThan"
                limits[name] = {"threshold": value, "comparison_operator": f"{side}Threshold"}
        found[f"{kind.removesuffix(_METRICS)}_constraints"] = limits
    return found
