"""Metrics in log events: CloudWatch's embedded metric format.

By https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from local.sagemaker.models import service_model

MOST_BYTES = 1024 * 1024
MOST_METRICS = 100
MOST_VALUES = 100
MOST_DIMENSIONS = 30
MOST_CHARACTERS = 1024
# CloudWatch takes no metrics from further away than this.
OLDEST_SECONDS, NEWEST_SECONDS = 14 * 86_400, 2 * 3600


class InvalidMetrics(Exception):
    """A log event names metrics in a form from which CloudWatch takes none."""


@dataclass(frozen=True)
class Metric:
    """Values of one metric at one time (seconds since 1970)."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    unit: str
    time: float
    values: tuple[float, ...]


def is_embedded(message: str) -> bool:
    """Whether a log event may contain metrics; cheap, because it is asked of every line."""
    return message.startswith("{") and '"_aws"' in message and '"CloudWatchMetrics"' in message


def read_metrics(message: str, now: float) -> list[Metric]:
    """The metrics in a log event, none if it is not in this format. Raises InvalidMetrics."""
    if len(message.encode()) > MOST_BYTES:
        raise InvalidMetrics(f"the event has more than {MOST_BYTES} bytes")
    try:
        root = json.loads(message)
    except ValueError as error:
        raise InvalidMetrics("the event is not JSON") from error
    head = root.get("_aws")
    if not isinstance(head, dict) or not isinstance(head.get("CloudWatchMetrics"), list):
        return []
    time = _number(head.get("Timestamp"), "Timestamp") / 1000
    if not now - OLDEST_SECONDS <= time <= now + NEWEST_SECONDS:
        raise InvalidMetrics("the Timestamp is more than two weeks old, or two hours ahead")
    return [metric for directive in head["CloudWatchMetrics"] for metric in _metrics(root, directive, time)]


def _metrics(root: Mapping[str, Any], directive: Any, time: float) -> Iterator[Metric]:
    if not isinstance(directive, dict):
        raise InvalidMetrics("a directive is not an object")
    namespace = directive.get("Namespace")
    if not isinstance(namespace, str) or not 1 <= len(namespace) <= 255 or namespace.startswith("AWS/"):
        raise InvalidMetrics("the Namespace is missing, too long or one of AWS's")
    definitions, sets = directive.get("Metrics"), directive.get("Dimensions")
    if not isinstance(definitions, list) or len(definitions) > MOST_METRICS:
        raise InvalidMetrics(f"Metrics is not a list of at most {MOST_METRICS}")
    if not isinstance(sets, list):
        raise InvalidMetrics("Dimensions is not a list")
    for keys in sets:
        dimensions = _dimensions(root, keys)
        for definition in definitions:
            name, unit = _name_and_unit(definition)
            yield Metric(namespace, name, dimensions, unit, time, _values(root, name))


def _dimensions(root: Mapping[str, Any], keys: Any) -> dict[str, str]:
    if not isinstance(keys, list) or len(keys) > MOST_DIMENSIONS:
        raise InvalidMetrics(f"a set of dimensions is not a list of at most {MOST_DIMENSIONS}")
    found = {}
    for key in keys:
        value = root.get(key) if isinstance(key, str) else None
        if not isinstance(value, str) or not 1 <= len(value) <= MOST_CHARACTERS:
            raise InvalidMetrics(f"the dimension {key} has no text of at most {MOST_CHARACTERS} characters")
        found[key] = value
    return found


def _name_and_unit(definition: Any) -> tuple[str, str]:
    name = definition.get("Name") if isinstance(definition, dict) else None
    if not isinstance(name, str) or not 1 <= len(name) <= 255:
        raise InvalidMetrics("a metric has no Name of at most 255 characters")
    unit = definition.get("Unit", "None")
    if unit not in units():
        raise InvalidMetrics(f"the metric {name} has an unknown Unit")
    if definition.get("StorageResolution", 60) not in (1, 60):
        raise InvalidMetrics(f"the metric {name} has a StorageResolution other than 1 and 60")
    return name, unit


@cache
def units() -> frozenset[str]:
    """The units of CloudWatch."""
    shape: Any = service_model("cloudwatch").shape_for("StandardUnit")
    return frozenset(shape.enum)


def _values(root: Mapping[str, Any], name: str) -> tuple[float, ...]:
    found = root.get(name)
    values = found if isinstance(found, list) else [found]
    if len(values) > MOST_VALUES:
        raise InvalidMetrics(f"the metric {name} has more than {MOST_VALUES} values")
    return tuple(_number(value, name) for value in values)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidMetrics(f"{name} is not a number")
    return float(value)
