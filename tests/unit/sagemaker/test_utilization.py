"""The instances' metrics have AWS's names, and describe the real processes."""

import types
from collections.abc import Sequence
from typing import Any, cast

from local.sagemaker.engines.process import Exit
from local.sagemaker.hosts import Ended, Host
from local.sagemaker.kinds import PROCESSING, Json
from local.sagemaker.store import Record
from local.sagemaker.utilization import Utilization


def test_each_host_has_percent_of_a_cpu_and_of_the_instances_memory() -> None:
    sent: list[tuple[str, Json]] = []

    def publish(namespace: str, data: Sequence[Json]) -> None:
        sent.extend((namespace, datum) for datum in data)

    cluster = {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2}}
    record = Record(PROCESSING, "job", "arn", {"ProcessingResources": cluster}, {})
    utilization = Utilization(publish)
    hosts = [cast(Host, types.SimpleNamespace(name=f"algo-{number}")) for number in (1, 2)]
    exits = [Exit(0, "exited", cpu_seconds=3.0, peak_bytes=2 << 30), Exit(1, "exited", cpu_seconds=0.5)]
    utilization.add(record, [Ended(host, end, 2.0) for host, end in zip(hosts, exits, strict=True)])
    utilization.close()
    assert {namespace for namespace, _ in sent} == {"/aws/sagemaker/ProcessingJobs"}
    found: dict[Any, Any] = {
        (datum["MetricName"], datum["Dimensions"][0]["Value"]): datum["Value"] for _, datum in sent
    }
    assert found == {
        ("CPUUtilization", "job/algo-1"): 150.0,
        ("MemoryUtilization", "job/algo-1"): 25.0,
        ("CPUUtilization", "job/algo-2"): 25.0,
        ("MemoryUtilization", "job/algo-2"): 0.0,
    }
