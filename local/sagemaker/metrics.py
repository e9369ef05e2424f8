"""The metrics of a training job, read from what it prints."""

from __future__ import annotations

import contextlib
import math
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from local.sagemaker.kinds import Json
from local.sagemaker.patterns import java_pattern

# `[7]<TAB>train-rmse:1.2<TAB>validation-rmse:2.3`, as the XGBoost container prints it; of several hosts, one
# prints it, with the time in front: `[12:34:56] [7]<TAB>...`.
_METRIC_LINE = re.compile(r"(\[[\d:]+\] )?\[\d+\]\s")
_METRIC = re.compile(r"(train|validation)-([^\s:]+):([-+]?[\d.]+(?:[eE][-+]?\d+)?|[-+]?inf|nan)")


@dataclass
class Metrics:
    """What a training job printed of each metric (`validation:rmse`), iteration by iteration."""

    on_value: Callable[[str], None] = lambda name: None
    # Of the request's own metrics.
    definitions: list[Json] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def read(self, line: str) -> None:
        """Take the metrics out of a line of the job's output."""
        for name, number in self._found(line):
            self.values[name].append(number)
            self.on_value(name)

    def _found(self, line: str) -> Iterator[tuple[str, float]]:
        if _METRIC_LINE.match(line):
            for channel, metric, number in _METRIC.findall(line):
                yield f"{channel}:{metric}", float(number)
        for definition in self.definitions:
            match = java_pattern(definition["Regex"]).search(line)
            # What an expression finds need not be a number.
            with contextlib.suppress(TypeError, ValueError):
                yield definition["Name"], float(match[1] if match else "")

    def final(self) -> list[Json]:
        """`FinalMetricDataList`: the last finite value of each."""
        now = time.time()
        last = {name: values[-1] for name, values in self.values.items() if math.isfinite(values[-1])}
        return [{"MetricName": name, "Value": value, "Timestamp": now} for name, value in last.items()]
