"""The metrics that the emulator has not: those in log events, of state machines, queues and all functions.

It also lets clients put what CloudWatch would refuse.
"""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from local.embedded.emf import (
    MOST_DIMENSIONS,
    NEWEST_SECONDS,
    OLDEST_SECONDS,
    InvalidMetrics,
    is_embedded,
    read_metrics,
    units,
)
from local.embedded.seams.alarms import evaluate_alarms

logger = logging.getLogger(__name__)

MOST_DATA = 1_000
MOST_VALUES = 150
_ENDED = {"SUCCEEDED": "Succeeded", "FAILED": "Failed", "TIMED_OUT": "TimedOut", "ABORTED": "Aborted"}


def install_metrics() -> None:
    """Take metrics from log events, count for the whole account, and refuse what CloudWatch refuses."""
    from ministack.services import cloudwatch, cloudwatch_logs

    fan_out, record, put = (
        cloudwatch_logs._fanout_to_subscription_filters,
        cloudwatch.record_metric,
        cloudwatch._put_metric_data,
    )

    def fan_out_and_extract(group: str, stream: str, events: Sequence[Mapping[str, Any]]) -> None:
        extract(group, [event.get("message", "") for event in events])
        fan_out(group, stream, events)

    def record_metric(
        namespace: str,
        metric_name: str,
        value: float,
        unit: str = "None",
        dimensions: Mapping[str, str] | None = None,
    ) -> None:
        record(namespace, metric_name, value, unit, dimensions)
        if namespace == "AWS/Lambda" and dimensions:
            record(namespace, metric_name, value, unit)

    def put_metric_data(params: Any, data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        if (is_cbor or is_json) and (problem := find_problem(data, time.time())):
            return cloudwatch._error("InvalidParameterValue", problem, 400, is_json, is_cbor)
        return put(params, data, is_cbor, is_json)

    cloudwatch_logs._fanout_to_subscription_filters = fan_out_and_extract
    cloudwatch.record_metric = record_metric
    cloudwatch._put_metric_data = put_metric_data


def extract(group: str, messages: Sequence[str]) -> None:
    """Publish the metrics in these log events, and how many events were refused."""
    found, refused = [], 0
    for message in filter(is_embedded, messages):
        try:
            found += read_metrics(message, time.time())
        except InvalidMetrics as problem:
            refused += 1
            logger.warning("CloudWatch would take no metrics from an event in %s: %s", group, problem)
    for metric in found:
        values = {"Values": metric.values}
        _store(metric.namespace, metric.name, metric.dimensions, metric.time, metric.unit, values)
    if refused:
        where = {"LogGroupName": group}
        _store("AWS/Logs", "EMFValidationErrors", where, time.time(), "Count", {"Value": float(refused)})
    evaluate_alarms(names={metric.name for metric in found})


def publish_metrics(namespace: str, data: Sequence[Mapping[str, Any]]) -> None:
    """Put metrics of a service of AWS, in the form of PutMetricData. No client may use such a namespace."""
    for datum in data:
        dimensions = {each["Name"]: each["Value"] for each in datum.get("Dimensions", [])}
        moment = datum["Timestamp"].timestamp()
        _store(namespace, datum["MetricName"], dimensions, moment, datum.get("Unit", "None"), datum)
    evaluate_alarms(names={datum["MetricName"] for datum in data})


def count_execution(execution: Mapping[str, Any]) -> None:
    """Step Functions' metrics of an execution that has just begun or ended."""
    from ministack.services import stepfunctions

    where = {"StateMachineArn": execution["stateMachineArn"]}
    now, status = time.time(), execution["status"]
    if status == "RUNNING":
        name = "ExecutionsRedriven" if execution.get("redriveCount") else "ExecutionsStarted"
    else:
        name = f"Executions{_ENDED[status]}"
        spent = {"Value": now * 1000 - stepfunctions._iso_to_epoch_ms(execution["startDate"])}
        _store("AWS/States", "ExecutionTime", where, now, "Milliseconds", spent)
    _store("AWS/States", name, where, now, "Count", {"Value": 1.0})
    evaluate_alarms(names={name, "ExecutionTime"})


class Queues:
    """SQS's metric of waiting messages, for queues that had any: SQS reports only active queues."""

    def __init__(self) -> None:
        self._active: set[str] = set()

    def measure(self) -> None:
        """Publish one value for each active queue."""
        from ministack.services import sqs

        for queue in sqs._queues.values():
            sqs._refresh_counts(queue)
            waiting = int(queue["attributes"]["ApproximateNumberOfMessages"])
            if waiting or queue["name"] in self._active:
                self._active.add(queue["name"])
                where, value = {"QueueName": queue["name"]}, {"Value": float(waiting)}
                name = "ApproximateNumberOfMessagesVisible"
                _store("AWS/SQS", name, where, time.time(), "Count", value)


def find_problem(request: Mapping[str, Any], now: float) -> str:
    """Why CloudWatch refuses this PutMetricData; "" if it does not."""
    namespace, data = str(request.get("Namespace") or ""), request.get("MetricData") or []
    if not namespace or namespace.startswith("AWS/"):
        return f"The value {namespace} for parameter Namespace is invalid."
    if len(data) > MOST_DATA:
        return f"The collection MetricData must not have a size greater than {MOST_DATA}."
    problems = (_problem_of_datum(datum, now) for datum in data)
    return next(filter(None, problems), "")


def _problem_of_datum(datum: Mapping[str, Any], now: float) -> str:
    from ministack.services import cloudwatch

    name = str(datum.get("MetricName") or "")
    dimensions = datum.get("Dimensions") or []
    values = [*(datum.get("Values") or []), *(datum.get("StatisticValues") or {}).values()]
    if "Value" in datum:
        values.append(datum["Value"])
    moment = cloudwatch._parse_ts(datum.get("Timestamp")) or now
    if not name or len(dimensions) > MOST_DIMENSIONS or len(datum.get("Values") or []) > MOST_VALUES:
        return f"{name}: no name, more than {MOST_DIMENSIONS} dimensions or {MOST_VALUES} values."
    if any(not dimension.get("Name") or not dimension.get("Value") for dimension in dimensions):
        return f"{name}: a dimension has no name or no value."
    if not values or not all(math.isfinite(value) for value in values):
        return f"{name}: there is no value, or one that is no finite number."
    if datum.get("Unit", "None") not in units():
        return f"{name}: the unit {datum['Unit']} is unknown."
    if not now - OLDEST_SECONDS <= moment <= now + NEWEST_SECONDS:
        return f"{name}: the time is more than two weeks ago or more than two hours ahead."
    return ""


def _store(
    namespace: str,
    name: str,
    dimensions: Mapping[str, str],
    moment: float,
    unit: str,
    datum: Mapping[str, Any],
) -> None:
    from ministack.services import cloudwatch

    given = (datum.get(field) for field in ("Value", "Values", "Counts", "StatisticValues"))
    cloudwatch._store_datum(namespace, name, dict(dimensions), moment, unit, *given)
