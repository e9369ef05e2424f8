"""Which instance would have done for a run's jobs, from their metrics of CPU and memory.

An instance would do if the peak of the memory takes at most `MEMORY_FILLED` of it and it has at least as many
CPUs as the job kept busy. CPUs that idled cost, too, but a job on fewer of them takes longer only if it used
them. Of all that would do, the cheapest counts; only types with a known price are compared (`prices.json`).
A result is a suggestion: the metrics of one run say nothing of a larger upload.
"""

import math
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from costs.prices import Kind, known_types
from costs.run_costs import STEPS
from costs.usage import Use, uses_of
from costs.words import STEP_NAMES
from shared.aws import client
from shared.text import now

MEMORY_FILLED = 0.8
# CloudWatch keeps values of a minute for 15 days, and means of five minutes for 63.
_KEPT = timedelta(days=63)
_PERIOD = 300
# A request takes 500 queries; each host has two.
_AT_ONCE = 250
_NAMESPACES: Mapping[Kind, str] = {
    "processing": "/aws/sagemaker/ProcessingJobs",
    "training": "/aws/sagemaker/TrainingJobs",
    "transform": "/aws/sagemaker/TransformJobs",
}
_GIB_OF_LARGE = {"t": 8, "m": 8, "c": 4, "r": 16}


@dataclass(frozen=True)
class Busy:
    """The most that a host's metrics say: CPUs kept busy and percent of the memory."""

    cpus: float
    memory_percent: float


@dataclass(frozen=True)
class Advice:
    """What a step used, and the type that would have done: the same one if there is no cheaper one.

    `hourly` and `hourly_then` are USD for one instance; None without a known price.
    """

    step: str
    instance_type: str
    cpus: float
    memory_gib: float
    would_do: str
    hourly: float | None
    hourly_then: float | None

    @property
    def sentence(self) -> str:
        """`Tuning used 0.9 CPUs and 0.4 GiB of ml.m5.large: ml.t3.medium would do, 0.05 USD ...`"""
        name = STEP_NAMES.get(self.step, self.step).capitalize()
        used = f"{name} used {self.cpus:.1f} CPUs and {self.memory_gib:.2g} GiB of {self.instance_type}"
        if self.would_do == self.instance_type or self.hourly is None or self.hourly_then is None:
            return f"{used}: no cheaper type with a known price would do."
        prices = f"{self.hourly_then:g} USD an hour instead of {self.hourly:g}"
        return f"{used}: {self.would_do} would do, {prices}."


def advise(run_id: str) -> list[Advice]:
    """The advice for each step of a run whose metrics are there, in the order of the steps."""
    uses = [use for use in uses_of(run_id, client("sagemaker")) if use.seconds]
    found = _measured(uses, client("cloudwatch"))
    return advice_for(uses, found, os.environ.get("AWS_REGION", ""))


def advice_for(uses: Iterable[Use], measured: Mapping[str, Busy], region: str) -> list[Advice]:
    """The same from what was used and how busy each job was, by its name."""
    by_step: dict[tuple[str, Kind, str], list[Busy]] = defaultdict(list)
    for use in uses:
        if use.job in measured:
            by_step[use.step, use.kind, use.instance_type].append(measured[use.job])
    advice = [
        _advice(step, kind, instance_type, busy, region)
        for (step, kind, instance_type), busy in by_step.items()
        if shape_of(instance_type)
    ]
    return sorted(advice, key=lambda each: STEPS.index(each.step) if each.step in STEPS else len(STEPS))


def shape_of(instance_type: str) -> tuple[int, float] | None:
    """CPUs and GiB of a type of the families t3, m5 to m7, c5 to c7 and r5 to r7; None for any other."""
    _, family, size = [*instance_type.split("."), "", ""][:3]
    gib, steps = _GIB_OF_LARGE.get(family[:1]), _steps(size)
    if gib is None or not family[1:2].isdigit() or not steps:
        return None
    return max(2, int(2 * steps)), gib * steps


def _steps(size: str) -> float:
    """How many times as large as `large` a size is; 0 if it is none."""
    named = {"medium": 0.5, "large": 1.0, "xlarge": 2.0}
    count = size.removesuffix("xlarge")
    return named.get(size) or (2.0 * int(count) if count.isdigit() else 0.0)


def _advice(step: str, kind: Kind, instance_type: str, busy: Sequence[Busy], region: str) -> Advice:
    _, gib = shape_of(instance_type) or (0, 0.0)
    cpus = max(each.cpus for each in busy)
    memory = max(each.memory_percent for each in busy) / 100 * gib
    prices = known_types(region, kind)
    enough = [other for other in prices if _is_enough(other, cpus, memory)]
    now_usd = prices.get(instance_type)
    best = min(enough, key=lambda other: (prices[other], other), default=instance_type)
    if now_usd is None or prices.get(best, math.inf) >= now_usd:
        best = instance_type
    return Advice(step, instance_type, cpus, memory, best, now_usd, prices.get(best))


def _is_enough(instance_type: str, cpus: float, memory_gib: float) -> bool:
    shape = shape_of(instance_type)
    return shape is not None and shape[0] >= cpus and shape[1] * MEMORY_FILLED >= memory_gib


def _measured(uses: Sequence[Use], cloudwatch: Any) -> dict[str, Busy]:
    """How busy each job was at most, by its name, over its hosts."""
    hosts = [(use.job, use.kind, f"{use.job}/algo-{n}") for use in uses for n in range(1, use.count + 1)]
    found: dict[str, Busy] = {}
    for start in range(0, len(hosts), _AT_ONCE):
        part = hosts[start : start + _AT_ONCE]
        queries = [
            query
            for number, (_, kind, host) in enumerate(part)
            for query in _queries(number, _NAMESPACES[kind], host)
        ]
        values = _values(cloudwatch, queries)
        for number, (job, _, _) in enumerate(part):
            cpu, memory = values.get(f"c{number}"), values.get(f"m{number}")
            if cpu is not None and memory is not None:
                before = found.get(job, Busy(0.0, 0.0))
                found[job] = Busy(max(before.cpus, cpu / 100), max(before.memory_percent, memory))
    return found


def _queries(number: int, namespace: str, host: str) -> list[dict[str, Any]]:
    return [
        {
            "Id": f"{letter}{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": namespace,
                    "MetricName": name,
                    "Dimensions": [{"Name": "Host", "Value": host}],
                },
                "Period": _PERIOD,
                "Stat": "Maximum",
            },
        }
        for letter, name in (("c", "CPUUtilization"), ("m", "MemoryUtilization"))
    ]


def _values(cloudwatch: Any, queries: list[dict[str, Any]]) -> dict[str, float]:
    """The largest value of each query that has one."""
    largest: dict[str, float] = {}
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=now() - _KEPT, EndTime=now() + timedelta(minutes=5)
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            if result["Values"]:
                largest[result["Id"]] = max(*result["Values"], largest.get(result["Id"], 0.0))
    return largest
