"""CloudWatch's metrics of endpoints, as SageMaker itself publishes them."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from local.sagemaker.batches import Batches
from local.sagemaker.kinds import Json

NAMESPACE = "AWS/SageMaker"
# Takes a namespace and at most a thousand data, in the form of PutMetricData.
PublishMetrics = Callable[[str, Sequence[Json]], None]
_MOST_DATA = 1000
# A datum has at most 150 values, each with its count.
_MOST_VALUES = 150


@dataclass(frozen=True)
class Measure:
    """One invocation. A status of 0 means that the container gave no answer."""

    endpoint: str
    variant: str
    status: int
    model_seconds: float
    overhead_seconds: float
    setup_seconds: float | None = None
    at: float = field(default_factory=time.time)

    def values(self) -> Iterator[tuple[str, str, float]]:
        """Each metric's name, unit and value."""
        yield "Invocations", "None", 1.0
        yield "Invocation4XXErrors", "None", float(400 <= self.status < 500)
        yield "Invocation5XXErrors", "None", float(self.status >= 500 or self.status == 0)
        yield "ModelLatency", "Microseconds", round(self.model_seconds * 1e6)
        yield "OverheadLatency", "Microseconds", round(self.overhead_seconds * 1e6)
        if self.setup_seconds is not None:
            yield "ModelSetupTime", "Microseconds", round(self.setup_seconds * 1e6)


class Measures:
    """Sends the metrics of invocations, many at a time. Never raises and never waits."""

    def __init__(self, publish: PublishMetrics) -> None:
        self._publish = publish
        self._batches: Batches[Measure] = Batches(
            self._send, delay=1.0, size=10_000, name="sagemaker-metrics"
        )

    def add(self, measure: Measure) -> None:
        """Add one invocation."""
        self._batches.put(measure)

    def close(self) -> None:
        """Send the remaining ones."""
        self._batches.close()

    def _send(self, batch: list[Measure]) -> None:
        data = list(_data(batch))
        for start in range(0, len(data), _MOST_DATA):
            self._publish(NAMESPACE, data[start : start + _MOST_DATA])


def _data(batch: list[Measure]) -> Iterator[Json]:
    """One datum for each metric, variant and second."""
    found: dict[tuple[str, str, str, str, int], Counter[float]] = defaultdict(Counter)
    for measure in batch:
        for name, unit, value in measure.values():
            found[measure.endpoint, measure.variant, name, unit, int(measure.at)][value] += 1
    for (endpoint, variant, name, unit, second), counted in found.items():
        values = list(counted.items())
        for start in range(0, len(values), _MOST_VALUES):
            part = values[start : start + _MOST_VALUES]
            yield {
                "MetricName": name,
                "Dimensions": [
                    {"Name": "EndpointName", "Value": endpoint},
                    {"Name": "VariantName", "Value": variant},
                ],
                "Timestamp": dt.datetime.fromtimestamp(second, dt.UTC),
                "Unit": unit,
                "Values": [value for value, _ in part],
                "Counts": [float(count) for _, count in part],
            }
