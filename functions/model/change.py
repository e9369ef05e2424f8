"""What changes if a model is approved: the sentences on the page and in the mail."""

import os
from dataclasses import dataclass
from typing import Literal

from common.evaluation import Comparison, Evaluation, Metric
from model.live import find_live
from shared.text import number, one_line

FIRST = "It would be the first approved model of this workload."
NOT_COMPARED = "It could not be compared with the approved model."
NOT_BETTER = "Not clearly better than the approved model"
WORSE = "Worse than the approved model"
UNCOMPARED = "Not compared with the approved model"
NO_ENDPOINT = "Approving it releases no endpoint: EndpointType is none."


@dataclass(frozen=True)
class Change:
    """A sentence about the new model and the approved one. `tone` is empty if neither is clearly better."""

    words: str
    tone: Literal["", "good", "bad", "warn"] = ""
    not_better: str = ""
    """The short form, if there is an approved model and this one is not clearly better."""


def model_change(evaluation: Evaluation) -> Change:
    """Whether the new model is better than the newest approved one, on the same test rows."""
    champion, metric = evaluation.champion, evaluation.gate_metric
    if metric is None:
        return Change("")
    if champion is None:
        return Change(NOT_COMPARED, "warn", UNCOMPARED) if evaluation.champion_problem else Change(FIRST)
    approved = f"the approved {version_of(champion.model_package_arn)}"
    if champion.comparison is None:
        difference = _towards(metric.value - champion.value, metric.unit)
        words = f"Beside {approved} on the same test rows, {_label(metric)} is {difference}."
        return Change(words, not_better=NOT_BETTER)
    return _with_interval(approved, metric, champion.comparison)


def endpoint_change(evaluation: Evaluation) -> str:
    """What approving the model does to the workload's endpoint."""
    if os.environ.get("ENDPOINT_TYPE", "none") == "none":
        return NO_ENDPOINT
    live = find_live(evaluation.workload)
    if live is None:
        return "Approving it releases it as the first live model of this workload."
    return f"Approving it replaces version {live.version} on the endpoint {one_line(live.endpoint_name, 80)}."


def _with_interval(approved: str, metric: Metric, found: Comparison) -> Change:
    rows = f"on the same {number(found.rows)} test rows"
    if found.low == found.high == 0:
        words = f"No difference from {approved} {rows}: {_label(metric)} is equal."
        return Change(words, not_better=NOT_BETTER)
    interval = interval_words(found.low, found.high, metric.unit)
    level = level_words(found.level)
    detail = f"{rows}: {_label(metric)} is {_towards(found.difference, metric.unit)} ({level}: {interval})."
    if found.low <= 0 <= found.high:
        return Change(f"No clear difference from {approved} {detail}", not_better=NOT_BETTER)
    if (found.low > 0) == (metric.better == "higher"):
        return Change(f"Better than {approved} {detail}", "good")
    return Change(f"Worse than {approved} {detail}", "bad", WORSE)


def level_words(level: float) -> str:
    """`95 % interval`, `99.8 % interval`."""
    return f"{level * 100:.4g} % interval"


def interval_words(low: float, high: float, unit: str = "") -> str:
    """`0.1 to 0.4 seconds lower`, or `0.1 seconds lower to 0.3 seconds higher`."""
    if low * high > 0:
        near, far = sorted((low, high), key=abs)
        return f"{number(abs(near))} to {_towards(far, unit)}"
    return f"{_towards(low, unit)} to {_towards(high, unit)}"


def version_of(package_arn: str) -> str:
    """`version 3`; `model` if the package is not in a group."""
    version = package_arn.rpartition("/")[2]
    return f"version {version}" if version.isdecimal() else "model"


def _towards(difference: float, unit: str) -> str:
    """`0.37 seconds lower`."""
    if difference == 0:
        return "equal"
    amount = f"{number(abs(difference))} {one_line(unit, 40)}".strip()
    return f"{amount} {'higher' if difference > 0 else 'lower'}"


def _label(metric: Metric) -> str:
    return one_line(metric.label, 80)
