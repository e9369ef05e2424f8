"""Alarms of the embedded CloudWatch."""

import datetime as dt
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import cloudwatch, sns
from ministack.services.cloudformation import provisioners

from local.embedded.alarms import find_problem, judge, mail_text
from local.embedded.seams import evaluate_alarms, install_alarms, publish_metrics

NAMESPACE = "AWS/SageMaker"
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
KEEPS, NOTHING = None, "INSUFFICIENT_DATA"


@pytest.mark.parametrize(
    ("needed", "points", "states"),
    [
        # The two tables of alarm-evaluation.html, whose alarms look at three periods.
        (3, "0 - X - X", ("OK", "OK", "OK", "OK")),
        (3, "0 - - - -", ("OK", "OK", "OK", "OK")),
        (3, "- - - - -", (NOTHING, KEEPS, "ALARM", "OK")),
        (3, "0 X X - X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (3, "- - X - -", ("ALARM", KEEPS, "ALARM", "OK")),
        (2, "0 - X - X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (2, "0 0 X 0 X", ("ALARM", "ALARM", "ALARM", "ALARM")),
        (2, "0 - X - -", ("OK", "OK", "ALARM", "OK")),
        (2, "- - - - 0", ("OK", "OK", "ALARM", "OK")),
        (2, "- - - X -", ("ALARM", KEEPS, "ALARM", "OK")),
        # Its text about transitions that would be premature.
        (3, "- - - - X", (NOTHING, KEEPS, "ALARM", "OK")),
        (3, "- - - X 0", ("OK", "OK", "OK", "OK")),
    ],
)
def test_an_alarm_treats_missing_data_as_cloudwatch_documents(
    needed: int, points: str, states: tuple[str | None, ...]
) -> None:
    read = [{"0": False, "X": True, "-": None}[point] for point in points.split()]
    found = [judge(read, periods=3, needed=needed, missing=treatment) for treatment in TREATMENTS]
    assert tuple(found) == states


def request(**changes: Any) -> dict[str, Any]:
    usual = {
        "AlarmName": uuid.uuid4().hex,
        "Namespace": NAMESPACE,
        "MetricName": "Invocation5XXErrors",
        "Dimensions": [{"Name": "EndpointName", "Value": "cars"}, {"Name": "VariantName", "Value": "blue"}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"Period": 45}, "Period"),
        ({"Period": 300, "EvaluationPeriods": 289}, "1 days"),
        ({"Period": 3600, "EvaluationPeriods": 169}, "7 days"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
        ({"DatapointsToAlarm": 0}, "DatapointsToAlarm"),
        ({"Statistic": None}, "Statistic"),
        ({"ExtendedStatistic": "p99"}, "Statistic"),
        ({"TreatMissingData": "good"}, "TreatMissingData"),
        ({"ComparisonOperator": "Equal"}, "ComparisonOperator"),
        ({"Threshold": None}, "Threshold"),
        ({"MetricName": None}, "MetricName"),
        ({"Dimensions": [{"Name": str(i), "Value": "x"} for i in range(31)]}, "Dimensions"),
        ({"OKActions": ["arn:aws:sns:us-east-1:000000000000:t"] * 6}, "OKActions"),
        ({"Metrics": []}, "not supported"),
    ],
)
def test_an_alarm_that_cloudwatch_refuses_is_refused(changes: dict[str, Any], word: str) -> None:
    assert find_problem(request()) == ""
    assert word in find_problem(request(**changes))


@pytest.fixture
def alarms(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The embedded CloudWatch, with its alarms installed and none in it."""
    for name in ("_evaluate_alarm", "_evaluate_all_alarms", "_put_metric_alarm"):
        monkeypatch.setattr(cloudwatch, name, getattr(cloudwatch, name))
    monkeypatch.setattr(provisioners, "_cw_metric_alarm_record", provisioners._cw_metric_alarm_record)
    cloudwatch.reset()
    install_alarms()
    yield
    cloudwatch.reset()


def put(**changes: Any) -> str:
    asked = request(**changes)
    status, _, body = cloudwatch._put_metric_alarm({}, asked, False, True)
    assert status == 200, body
    return str(asked["AlarmName"])


def publish(value: float, endpoint: str = "cars", ago: float = 0.0, unit: str = "None") -> None:
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "blue"}]
    datum = {"MetricName": "Invocation5XXErrors", "Dimensions": dimensions, "Unit": unit}
    at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=ago)
    publish_metrics(NAMESPACE, [{**datum, "Timestamp": at, "Values": [value], "Counts": [1.0]}])


def state(alarm: str) -> str:
    return str(cloudwatch._alarms[alarm]["StateValue"])


@pytest.mark.usefixtures("alarms")
def test_only_the_metric_with_its_dimensions_and_unit_rings_an_alarm() -> None:
    alarm, in_seconds = put(), put(Unit="Seconds")
    publish(1.0, "digits")
    assert state(alarm) == "INSUFFICIENT_DATA"
    publish(0.0)
    assert state(alarm) == "OK"
    publish(1.0)
    assert state(alarm) == "ALARM"
    assert state(in_seconds) == "INSUFFICIENT_DATA"
    publish(1.0, unit="Seconds")
    assert state(in_seconds) == "ALARM"


@pytest.mark.usefixtures("alarms")
def test_each_period_is_a_point_of_its_own() -> None:
    usual = {"TreatMissingData": "notBreaching", "Threshold": 3.0}
    sums = put(**usual, Statistic="Sum")
    twice = put(**usual, EvaluationPeriods=3, DatapointsToAlarm=2)
    publish(2.0, ago=61)
    publish(2.0)
    assert (state(sums), state(twice)) == ("OK", "OK")
    publish(2.0)
    assert (state(sums), state(twice)) == ("ALARM", "OK")
    publish(2.0, ago=61)
    assert state(twice) == "ALARM"


@pytest.mark.usefixtures("alarms")
def test_an_alarm_changes_as_time_passes_and_its_topic_is_told_of_each_change_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(sns, "_fanout", lambda topic, _id, message, subject: told.append((subject, message)))
    topic = "arn:aws:sns:us-east-1:000000000000:alarms"
    alarm = put(TreatMissingData="notBreaching", AlarmActions=[topic], OKActions=[topic], AlarmName="errors")
    publish(1.0)
    publish(1.0)
    evaluate_alarms(time.time() + 90)
    assert state(alarm) == "ALARM"
    evaluate_alarms(time.time() + 600)
    assert state(alarm) == "OK"
    # From no data to OK is a change as well.
    subjects = [f'{state}: "errors" in us-east-1' for state in ("OK", "ALARM", "OK")]
    assert [subject for subject, _ in told] == subjects
    mail = mail_text(told[1][1])
    assert '"errors" has entered the ALARM state' in mail
    assert "- Reason for State Change: Threshold Crossed: 1 of the last datapoints [1] breach" in mail


@pytest.mark.parametrize("message", ["text", "[1]", '"text"', "{}", '{"AlarmName": "a"}'])
def test_the_mail_of_any_other_message_is_the_message(message: str) -> None:
    assert mail_text(message) == message


@pytest.mark.usefixtures("alarms")
def test_a_template_and_a_client_may_not_create_what_cloudwatch_refuses() -> None:
    refused = request(Period=45)
    status, _, body = cloudwatch._put_metric_alarm({}, refused, False, True)
    assert (status, b"Period" in body) == (400, True)
    with pytest.raises(ValueError, match="Period"):
        provisioners._cw_metric_alarm_record("name", refused)
    record = provisioners._cw_metric_alarm_record("name", request(Period="60", Threshold="2"))
    assert (record["Period"], record["Threshold"]) == (60, 2.0)
