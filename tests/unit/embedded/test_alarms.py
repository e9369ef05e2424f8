"""Alarms of the embedded CloudWatch."""

import datetime as dt
import uuid
from collections.abc import Iterator

import pytest
from ministack.services import cloudwatch

from local.embedded.seams import publish_metrics
from local.embedded.seams.alarms import install_alarm_dimensions

NAMESPACE = "AWS/SageMaker"


@pytest.fixture
def alarm(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an alarm on errors of the endpoint `cars`."""
    monkeypatch.setattr(cloudwatch, "_evaluate_alarm", cloudwatch._evaluate_alarm)
    install_alarm_dimensions()
    name = uuid.uuid4().hex
    request = {
        "AlarmName": name,
        "Namespace": NAMESPACE,
        "MetricName": "Invocation5XXErrors",
        "Dimensions": [{"Name": "EndpointName", "Value": "cars"}, {"Name": "VariantName", "Value": "blue"}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    }
    cloudwatch._put_metric_alarm({}, request, False, True)
    yield name
    cloudwatch._alarms.pop(name)


def publish(value: float, endpoint: str) -> None:
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "blue"}]
    datum = {"MetricName": "Invocation5XXErrors", "Dimensions": dimensions, "Unit": "None"}
    now = dt.datetime.now(dt.UTC)
    publish_metrics(NAMESPACE, [{**datum, "Timestamp": now, "Values": [value], "Counts": [1.0]}])


def state(alarm: str) -> str:
    return str(cloudwatch._alarms[alarm]["StateValue"])


def test_only_the_metric_with_its_dimensions_rings_an_alarm(alarm: str) -> None:
    publish(1.0, "digits")
    assert state(alarm) == "INSUFFICIENT_DATA"
    publish(0.0, "cars")
    assert state(alarm) == "OK"
    publish(1.0, "cars")
    assert state(alarm) == "ALARM"
