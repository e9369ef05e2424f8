"""CloudWatch's metrics of the instances of jobs, as SageMaker itself publishes them.

By https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html#cloudwatch-metrics-jobs: percent
of the instance's memory, and of one CPU, so that a program that keeps two busy has 200. AWS looks at them
every minute. Here there is one value for each program when it has ended: its mean of the CPU and its peak of
the memory.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import groupby

from local.sagemaker.batches import Batches
from local.sagemaker.endpoints.measures import PublishMetrics
from local.sagemaker.hosts import Ended
from local.sagemaker.kinds import Json, cluster_of, memory_of
from local.sagemaker.store import Record

_MOST_DATA = 1000


class Utilization:
    """Sends the metrics of programs that ended, many at a time. Never raises and never waits."""

    def __init__(self, publish: PublishMetrics) -> None:
        self._publish = publish
        self._batches: Batches[tuple[str, Json]] = Batches(
            self._send, delay=1.0, size=_MOST_DATA, name="sagemaker-utilization"
        )

    def add(self, record: Record, ends: Sequence[Ended]) -> None:
        """Add how busy the programs of a job's hosts were."""
        for end in ends:
            for datum in _data(record, end):
                self._batches.put((record.kind.log_group, datum))

    def close(self) -> None:
        """Send the remaining ones."""
        self._batches.close()

    def _send(self, batch: list[tuple[str, Json]]) -> None:
        # The namespaces have the names of the log groups.
        for namespace, data in groupby(sorted(batch, key=lambda each: each[0]), key=lambda each: each[0]):
            self._publish(namespace, [datum for _, datum in data])


def _data(record: Record, end: Ended) -> Iterator[Json]:
    memory = memory_of(cluster_of(record.kind, record.fields).get("InstanceType", ""))
    found = {
        "CPUUtilization": end.exit.cpu_seconds / max(end.seconds, 0.01) * 100,
        "MemoryUtilization": end.exit.peak_bytes / memory * 100 if memory else None,
    }
    for name, value in found.items():
        if value is not None:
            yield {
                "MetricName": name,
                "Dimensions": [{"Name": "Host", "Value": f"{record.key}/{end.host.name}"}],
                "Timestamp": dt.datetime.now(dt.UTC),
                "Unit": "Percent",
                "Value": round(value, 2),
            }
