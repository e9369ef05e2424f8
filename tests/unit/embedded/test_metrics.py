"""Metrics of the embedded CloudWatch: those in log events, and those that clients and services put."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import cloudwatch, cloudwatch_logs, sqs

from local.embedded.emf import InvalidMetrics, is_embedded, read_metrics
from local.embedded.seams import Queues, install_metrics
from local.embedded.seams.metrics import count_execution

NOW = 1_767_614_400.0


def event(directive: dict[str, Any] | None = None, **members: Any) -> str:
    usual = {
        "Namespace": "Shop",
        "Dimensions": [["service"]],
        "Metrics": [{"Name": "Sales", "Unit": "Count"}],
    }
    head = {"Timestamp": NOW * 1000, "CloudWatchMetrics": [usual | (directive or {})]}
    return json.dumps({"_aws": head, "service": "till", "Sales": 3} | members)


def test_a_log_event_brings_a_value_for_each_set_of_dimensions() -> None:
    found = read_metrics(event({"Dimensions": [["service"], []]}, Sales=[1, 2.5]), NOW)
    assert [metric.dimensions for metric in found] == [{"service": "till"}, {}]
    assert {(metric.namespace, metric.name, metric.unit, metric.time) for metric in found} == {
        ("Shop", "Sales", "Count", NOW)
    }
    assert found[0].values == (1.0, 2.5)


@pytest.mark.parametrize("message", ["START", "{", '{"a": 1}', '{"_aws": {}}', '"_aws" "CloudWatchMetrics"'])
def test_other_log_events_bring_none(message: str) -> None:
    assert not is_embedded(message)


def test_an_event_without_a_list_of_directives_is_not_in_this_format() -> None:
    assert read_metrics('{"_aws": {"CloudWatchMetrics": 1}}', NOW) == []


@pytest.mark.parametrize(
    ("message", "word"),
    [
        (event({"Namespace": ""}), "Namespace"),
        (event({"Namespace": "AWS/Lambda"}), "Namespace"),
        (event({"Metrics": [{"Name": str(i)} for i in range(101)]}), "Metrics"),
        (event({"Metrics": [{"Unit": "Count"}]}), "Name"),
        (event({"Metrics": [{"Name": "Sales", "Unit": "Euro"}]}), "Unit"),
        (event({"Metrics": [{"Name": "Sales", "StorageResolution": 30}]}), "StorageResolution"),
        (event({"Dimensions": [[str(i) for i in range(31)]]}), "dimensions"),
        (event({"Dimensions": [["none"]]}), "none"),
        (event({"Dimensions": None}), "Dimensions"),
        (event(service=5), "service"),
        (event(service="x" * 1025), "service"),
        (event(Sales="3"), "Sales"),
        (event(Sales=True), "Sales"),
        (event(Sales=float("inf")), "Sales"),
        (event(Sales=[1] * 101), "values"),
        (event(_aws={"CloudWatchMetrics": []}), "Timestamp"),
        (event(_aws={"CloudWatchMetrics": [1], "Timestamp": NOW * 1000}), "directive"),
        (event(note="x" * 1_048_576), "bytes"),
        (event() + " and more", "JSON"),
    ],
)
def test_an_event_that_breaks_the_specification_brings_none(message: str, word: str) -> None:
    with pytest.raises(InvalidMetrics, match=word):
        read_metrics(message, NOW)


@pytest.mark.parametrize("now", [NOW + 15 * 86_400, NOW - 3 * 3600])
def test_an_event_of_another_time_brings_none(now: float) -> None:
    with pytest.raises(InvalidMetrics, match="Timestamp"):
        read_metrics(event(), now)


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("record_metric", "_put_metric_data"):
        monkeypatch.setattr(cloudwatch, name, getattr(cloudwatch, name))
    name = "_fanout_to_subscription_filters"
    monkeypatch.setattr(cloudwatch_logs, name, getattr(cloudwatch_logs, name))
    cloudwatch.reset()
    install_metrics()
    yield
    cloudwatch.reset()


def values(namespace: str, name: str, **dimensions: str) -> list[float]:
    points = cloudwatch._metrics.get((namespace, name, cloudwatch._dims_key(dimensions))) or []
    return [point["Value"] for point in points]


@pytest.mark.usefixtures("metrics")
def test_what_a_function_logs_becomes_a_metric_and_what_is_wrong_is_counted() -> None:
    head = {"Timestamp": time.time() * 1000}
    good, bad = json.loads(event(Sales=[1, 2])), json.loads(event(Sales="x"))
    messages = [json.dumps({**each, "_aws": {**each["_aws"], **head}}) for each in (good, bad)]
    events = [{"message": message, "timestamp": 0} for message in ("START", *messages)]
    cloudwatch_logs._fanout_to_subscription_filters("/aws/lambda/till", "stream", events)
    assert values("Shop", "Sales", service="till") == [1.0, 2.0]
    assert values("AWS/Logs", "EMFValidationErrors", LogGroupName="/aws/lambda/till") == [1.0]


@pytest.mark.usefixtures("metrics")
def test_metrics_of_functions_also_count_for_the_whole_account() -> None:
    cloudwatch.record_metric("AWS/Lambda", "Throttles", 1, "Count", {"FunctionName": "till"})
    assert (
        values("AWS/Lambda", "Throttles") == values("AWS/Lambda", "Throttles", FunctionName="till") == [1.0]
    )


def test_executions_are_counted_as_they_begin_and_end() -> None:
    cloudwatch.reset()
    record: dict[str, Any] = {"stateMachineArn": "arn", "startDate": "2026-01-05T12:00:00.000Z"}
    for status in ("RUNNING", "FAILED"):
        count_execution(record | {"status": status})
    count_execution(record | {"status": "RUNNING", "redriveCount": 1})
    names = ("ExecutionsStarted", "ExecutionsFailed", "ExecutionsRedriven", "ExecutionsSucceeded")
    found = [len(values("AWS/States", name, StateMachineArn="arn")) for name in names]
    assert found == [1, 1, 1, 0]
    assert len(values("AWS/States", "ExecutionTime", StateMachineArn="arn")) == 1
    cloudwatch.reset()


def test_a_queue_is_measured_once_it_had_a_message() -> None:
    cloudwatch.reset()
    url = sqs._act_create_queue({"QueueName": "dead-letters"}, "")["QueueUrl"]
    queues = Queues()
    queues.measure()
    sqs._act_send_message({"MessageBody": "lost"}, url)
    queues.measure()
    sqs._queues[url]["messages"].clear()
    queues.measure()
    assert values("AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName="dead-letters") == [1.0, 0.0]
    sqs._act_delete_queue({}, url)
    cloudwatch.reset()


@pytest.mark.usefixtures("metrics")
@pytest.mark.parametrize(
    ("namespace", "datum"),
    [
        ("AWS/Lambda", {}),
        ("", {}),
        ("Shop", {"Value": float("nan")}),
        ("Shop", {"Unit": "Euro"}),
        ("Shop", {"Dimensions": [{"Name": str(i), "Value": "x"} for i in range(31)]}),
        ("Shop", {"Dimensions": [{"Name": "service", "Value": ""}]}),
        ("Shop", {"Timestamp": 1_600_000_000}),
        ("Shop", {"MetricName": ""}),
    ],
)
def test_a_client_may_not_put_what_cloudwatch_refuses(namespace: str, datum: dict[str, Any]) -> None:
    usual = {"MetricName": "Sales", "Value": 1.0}
    status, _, _ = cloudwatch._put_metric_data({}, {"Namespace": "Shop", "MetricData": [usual]}, False, True)
    assert status == 200
    asked = {"Namespace": namespace, "MetricData": [usual | datum]}
    status, _, body = cloudwatch._put_metric_data({}, asked, False, True)
    assert (status, b"InvalidParameterValue" in body) == (400, True)
