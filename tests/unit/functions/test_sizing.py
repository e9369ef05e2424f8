"""The advice on instances names the cheapest type with a known price that would have done."""

from typing import Any

import pytest

from costs import sizing
from costs.sizing import Advice, Busy, advice_for, shape_of
from costs.usage import Use

REGION = "us-east-1"


@pytest.fixture(autouse=True)
def _prices(monkeypatch: pytest.MonkeyPatch) -> None:
    prices = {"ml.t3.medium": 0.05, "ml.m5.large": 0.115, "ml.m5.xlarge": 0.23, "ml.m5.4xlarge": 0.92}
    monkeypatch.setattr(sizing, "known_types", lambda region, kind: prices if region == REGION else {})


def use(job: str, step: str = "preprocess", instance_type: str = "ml.m5.xlarge", count: int = 1) -> Use:
    return Use(job, step, "processing", instance_type, count, 60)


def one(busy: Busy, instance_type: str = "ml.m5.xlarge", region: str = REGION) -> Advice:
    (found,) = advice_for([use("a", instance_type=instance_type)], {"a": busy}, region)
    return found


@pytest.mark.parametrize(
    ("busy", "would_do"),
    [
        (Busy(cpus=0.4, memory_percent=10), "ml.t3.medium"),
        # 3.3 GiB of 16: more than 80 % of 4 GiB.
        (Busy(cpus=0.4, memory_percent=20.6), "ml.m5.large"),
        (Busy(cpus=2.2, memory_percent=10), "ml.m5.xlarge"),
        (Busy(cpus=4.0, memory_percent=75), "ml.m5.xlarge"),
    ],
)
def test_memory_and_cpus_decide(busy: Busy, would_do: str) -> None:
    assert one(busy).would_do == would_do


def test_the_sentence_says_what_was_used_and_what_it_would_cost() -> None:
    assert one(Busy(0.4, 10)).sentence == (
        "Preparing used 0.4 CPUs and 1.6 GiB of ml.m5.xlarge: ml.t3.medium would do, 0.05 USD an hour instead of "
        "0.23."
    )
    assert one(Busy(3.0, 90)).sentence.endswith("no cheaper type with a known price would do.")


def test_without_a_price_nothing_is_advised() -> None:
    found = one(Busy(0.1, 1), region="xx-nowhere-1")
    assert (found.would_do, found.hourly) == ("ml.m5.xlarge", None)


def test_the_busiest_job_of_a_step_decides_and_a_job_without_metrics_says_nothing() -> None:
    uses = [use("a", "tune"), use("b", "tune"), use("c", "preprocess"), use("d", "evaluate")]
    found = advice_for(uses, {"a": Busy(0.1, 1), "b": Busy(3.5, 1), "c": Busy(0.1, 1)}, REGION)
    assert [(each.step, each.cpus) for each in found] == [("preprocess", 0.1), ("tune", 3.5)]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("ml.t3.medium", (2, 4)),
        ("ml.m5.large", (2, 8)),
        ("ml.c5.xlarge", (4, 8)),
        ("ml.r5.4xlarge", (16, 128)),
        ("ml.g4dn.xlarge", None),
        ("ml.m5.huge", None),
        ("", None),
    ],
)
def test_the_shape_of_a_type_follows_from_its_name(name: str, shape: tuple[int, float] | None) -> None:
    assert shape_of(name) == shape


class _CloudWatch:
    """Answers with the largest value that it has for a host and a metric."""

    def __init__(self, values: dict[tuple[str, str, str], float]) -> None:
        self._values = values

    def get_paginator(self, operation: str) -> "_CloudWatch":
        assert operation == "get_metric_data"
        return self

    def paginate(self, **request: Any) -> Any:
        assert len(request["MetricDataQueries"]) <= 500
        for query in request["MetricDataQueries"]:
            metric = query["MetricStat"]["Metric"]
            key = (metric["Namespace"], metric["MetricName"], metric["Dimensions"][0]["Value"])
            yield {
                "MetricDataResults": [
                    {"Id": query["Id"], "Values": [0.5, self._values[key]][: key in self._values and 2]}
                ]
            }


def test_every_host_is_asked_about_in_the_namespace_of_its_kind() -> None:
    namespace = "/aws/sagemaker/ProcessingJobs"
    values = {
        (namespace, name, f"a/algo-{host}"): 10.0 * host
        for name in ("CPUUtilization", "MemoryUtilization")
        for host in (1, 2)
    }
    cloudwatch: Any = _CloudWatch(values)
    assert sizing._measured([use("a", count=2)], cloudwatch) == {"a": Busy(0.2, 20.0)}
