"""When a metric alarm changes its state, and which alarms CloudWatch refuses.

By https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html.
"""

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# CloudWatch looks further back than an alarm's periods, in case data is missing: at five points for three.
EXTRA_PERIODS = 2
MOST_DIMENSIONS = 30
MOST_ACTIONS = 5
_DAY = 86_400
_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
_TREATMENTS = {"breaching", "notBreaching", "ignore", "missing"}
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def judge(points: Sequence[bool | None], *, periods: int, needed: int, missing: str) -> str | None:
    """The alarm's next state; None if it keeps the one that it has.

    `points` has one entry for each period of the evaluation range, the newest last: whether it breaches the
    threshold, or None without data. `needed` of the last `periods` points must breach.
    """
    real = [point for point in points if point is not None]
    if len(real) >= periods or missing in ("breaching", "notBreaching"):
        filled = real[-periods:] + [missing == "breaching"] * (periods - len(real))
        return "ALARM" if sum(filled) >= needed else "OK"
    if sum(real) >= needed:
        return "ALARM"
    if False in real:
        return "OK"
    if missing == "ignore":
        return None
    # Nothing but missing data has followed a breaching point that is as old as the alarm asks for.
    old = points[-periods : len(points) - needed + 1]
    return "ALARM" if any(old) else "INSUFFICIENT_DATA"


def find_problem(alarm: Mapping[str, Any]) -> str:
    """Why CloudWatch refuses this alarm, in the form of PutMetricAlarm; "" if it does not."""
    if "Metrics" in alarm or "ThresholdMetricId" in alarm or "EvaluationCriteria" in alarm:
        return "Alarms on metric math, queries and anomalies are not supported by the embedded AWS."
    return _problem_of_data(alarm) or _problem_of_time(alarm) or _problem_of_lists(alarm)


def _problem_of_data(alarm: Mapping[str, Any]) -> str:
    if not alarm.get("Namespace") or not alarm.get("MetricName"):
        return "MetricName and Namespace must be specified."
    if alarm.get("Threshold") is None:
        return "The parameter Threshold is required."
    if alarm.get("ComparisonOperator") not in COMPARISONS:
        return f"The ComparisonOperator {alarm.get('ComparisonOperator')} is not one of {_list(COMPARISONS)}."
    if bool(alarm.get("Statistic")) == bool(alarm.get("ExtendedStatistic")):
        return "Exactly one of Statistic and ExtendedStatistic must be specified."
    if (treatment := alarm.get("TreatMissingData") or "missing") not in _TREATMENTS:
        return f"The TreatMissingData {treatment} is not one of {_list(_TREATMENTS)}."
    return ""


def _problem_of_time(alarm: Mapping[str, Any]) -> str:
    period, periods = int(alarm.get("Period") or 0), int(alarm.get("EvaluationPeriods") or 0)
    if period not in (10, 20, 30) and (period < 1 or period % 60):
        return "The Period must be 10, 20, 30 or a multiple of 60."
    needed = alarm.get("DatapointsToAlarm")
    if periods < 1 or not 1 <= int(periods if needed is None else needed) <= periods:
        return "DatapointsToAlarm must be at least 1, and no more than EvaluationPeriods."
    longest = 7 * _DAY if period >= 3600 else _DAY
    if period * periods > longest:
        return f"EvaluationPeriods * Period must not exceed {longest // _DAY} days."
    return ""


def _problem_of_lists(alarm: Mapping[str, Any]) -> str:
    if len(alarm.get("Dimensions") or []) > MOST_DIMENSIONS:
        return f"The collection Dimensions must not have a size greater than {MOST_DIMENSIONS}."
    for name in _ACTIONS:
        if len(alarm.get(name) or []) > MOST_ACTIONS:
            return f"The collection {name} must not have a size greater than {MOST_ACTIONS}."
    return ""


def mail_text(message: str) -> str:
    """What SNS mails for a message: an alarm's change in words, anything else as it is."""
    try:
        found = json.loads(message)
        lines = {
            "Name": found["AlarmName"],
            "Description": found["AlarmDescription"],
            "State Change": f"{found['OldStateValue']} -> {found['NewStateValue']}",
            "Reason for State Change": found["NewStateReason"],
            "Timestamp": found["StateChangeTime"],
            "AWS Account": found["AWSAccountId"],
        }
    except (KeyError, TypeError, ValueError):
        return message
    head = f'Your Amazon CloudWatch Alarm "{lines["Name"]}" has entered the {found["NewStateValue"]} state.'
    return "\n".join([head, "", "Alarm Details:", *(f"- {name}: {text}" for name, text in lines.items()), ""])


def _list(names: Mapping[str, Any] | set[str]) -> str:
    return ", ".join(sorted(names))
