"""Metric alarms, evaluated as CloudWatch does: by dimensions and periods, with a rule for missing data."""

import threading
import time
from collections.abc import Container, Mapping
from typing import Any

from local.embedded.alarms import COMPARISONS, EXTRA_PERIODS, find_problem, judge

# An alarm's change of state is seen and told by one thread.
_lock = threading.RLock()


def install_alarms() -> None:
    """Replace the evaluation of alarms, and refuse alarms that CloudWatch refuses."""
    from ministack.services import cloudwatch
    from ministack.services.cloudformation import provisioners

    put, record = cloudwatch._put_metric_alarm, provisioners._cw_metric_alarm_record

    def put_metric_alarm(params: Any, data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        if (is_cbor or is_json) and (problem := find_problem(data)):
            return cloudwatch._error("ValidationError", problem, 400, is_json, is_cbor)
        return put(params, data, is_cbor, is_json)

    def metric_alarm_record(name: str, props: Mapping[str, Any]) -> Any:
        if problem := find_problem(props):
            raise ValueError(problem)
        return record(name, props)

    cloudwatch._put_metric_alarm = put_metric_alarm
    provisioners._cw_metric_alarm_record = metric_alarm_record
    cloudwatch._evaluate_alarm = evaluate_alarm
    cloudwatch._evaluate_all_alarms = evaluate_alarms


def evaluate_alarms(now: float | None = None, *, names: Container[str] | None = None) -> None:
    """Set the state of all alarms, or of those on metrics of these names; take actions if a state changes."""
    from ministack.services import cloudwatch

    for alarm in cloudwatch._alarms.values():
        if names is None or alarm["MetricName"] in names:
            evaluate_alarm(alarm, now)


def evaluate_alarm(alarm: dict[str, Any], now: float | None = None) -> None:
    """Set one alarm's state."""
    periods = alarm["EvaluationPeriods"]
    needed = alarm.get("DatapointsToAlarm") or periods
    with _lock:
        values = _values(alarm, time.time() if now is None else now)
        breaches = COMPARISONS[alarm["ComparisonOperator"]]
        points = [None if value is None else breaches(value, alarm["Threshold"]) for value in values]
        state = judge(points, periods=periods, needed=needed, missing=alarm["TreatMissingData"])
        if state and state != alarm["StateValue"]:
            _change(alarm, state, _reason(alarm, values, points))


def _values(alarm: Mapping[str, Any], now: float) -> list[float | None]:
    """The statistic of the alarm's metric in each period of the evaluation range, the newest last."""
    from ministack.services import cloudwatch

    dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or []))
    series = cloudwatch._metrics.get((alarm["Namespace"], alarm["MetricName"], dimensions)) or []
    slots: list[list[Any]] = [[] for _ in range(alarm["EvaluationPeriods"] + EXTRA_PERIODS)]
    for point in list(series):
        age = int((now - point["Timestamp"]) // alarm["Period"])
        if 0 <= age < len(slots) and alarm.get("Unit") in (None, "", point["Unit"]):
            slots[-1 - age].append(point)
    statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
    found = [(slot, cloudwatch._calc_stats(slot)) for slot in slots]
    return [cloudwatch._stat_value(values, statistic, slot) if values else None for slot, values in found]


def _reason(alarm: Mapping[str, Any], values: list[float | None], points: list[bool | None]) -> str:
    real = [value for value in values if value is not None]
    latest = ", ".join(f"{value:g}" for value in real[-alarm["EvaluationPeriods"] :])
    breaching, threshold = points.count(True), f"{alarm['ComparisonOperator']} {alarm['Threshold']:g}"
    if not real:
        span = f"{alarm['EvaluationPeriods']} x {alarm['Period']} s"
        return f"No datapoints were received for {span}; missing data: {alarm['TreatMissingData']}."
    return f"Threshold Crossed: {breaching} of the last datapoints [{latest}] breach {threshold}."


def _change(alarm: dict[str, Any], state: str, reason: str) -> None:
    from ministack.services import cloudwatch

    former = alarm["StateValue"]
    alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
    cloudwatch._record_history(alarm["AlarmName"], former, state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, former, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)
