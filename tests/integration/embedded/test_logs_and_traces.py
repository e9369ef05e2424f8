"""FilterLogEvents as in CloudWatch Logs, metrics in log events, and X-Ray without traces."""

import base64
import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Aws
from tests.integration.embedded.test_step_functions import ROLE

Filter = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def filtered(aws: Aws) -> Filter:
    """Calls FilterLogEvents on a group with two streams."""
    logs, group = aws.client("logs"), f"/group/{uuid.uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=group)
    now = int(time.time() * 1000)
    for stream, messages in {
        "job/1": ["ERROR one", "fine"],
        "other/1": ["an error two-fold", "ERROR two"],
    }.items():
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [{"timestamp": now + at, "message": message} for at, message in enumerate(messages)]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    return lambda **asked: dict(logs.filter_log_events(logGroupName=group, **asked))


def messages(answer: dict[str, Any]) -> set[str]:
    return {event["message"] for event in answer["events"]}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"logStreamNamePrefix": "job/"}, {"ERROR one", "fine"}),
        ({"logStreamNamePrefix": "none/"}, set()),
        ({"logStreamNames": ["other/1"]}, {"an error two-fold", "ERROR two"}),
        ({"filterPattern": "ERROR"}, {"ERROR one", "ERROR two"}),
        ({"filterPattern": "ERROR two"}, {"ERROR two"}),
        ({"filterPattern": '"two-fold"'}, {"an error two-fold"}),
        ({"filterPattern": '"error two"'}, {"an error two-fold"}),
        ({"filterPattern": "ERROR -one"}, {"ERROR two"}),
        ({"filterPattern": "?one ?fine"}, {"ERROR one", "fine"}),
        ({"filterPattern": "ERROR", "logStreamNamePrefix": "job/"}, {"ERROR one"}),
    ],
)
def test_events_are_found_by_prefix_stream_and_terms(
    filtered: Filter, asked: dict[str, Any], found: set[str]
) -> None:
    assert messages(filtered(**asked)) == found


def test_more_events_than_fit_on_a_page_follow_on_the_next_ones(filtered: Filter) -> None:
    first = filtered(limit=3)
    second = filtered(limit=3, nextToken=first["nextToken"])

    assert (len(first["events"]), len(second["events"])) == (3, 1)
    assert "nextToken" not in second
    assert len(messages(first) | messages(second)) == 4


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"logStreamNames": ["job/1"], "logStreamNamePrefix": "job/"}, "mutually exclusive"),
        ({"filterPattern": "two-fold"}, "Invalid filter pattern"),
        ({"filterPattern": "{ $.level = 1 }"}, "matches only plain terms"),
        ({"nextToken": "x"}, "nextToken"),
    ],
)
def test_an_unsupported_request_is_refused(filtered: Filter, asked: dict[str, Any], reason: str) -> None:
    with pytest.raises(ClientError, match=f"InvalidParameterException.*{reason}"):
        filtered(**asked)


WRITES = """
import sys

def handler(event, context):
    sys.stderr.write(event["text"])
    if event["fails"]:
        raise ValueError("as asked")
"""


def test_the_log_of_each_call_has_what_the_function_wrote_in_it(aws: Aws) -> None:
    functions, name, archive = aws.client("lambda"), f"writes-{uuid.uuid4().hex[:8]}", io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("writes.py", WRITES)
    functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=ROLE,
        Handler="writes.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name)

    def written(text: str, *, fails: bool = False) -> list[str]:
        payload = json.dumps({"text": text, "fails": fails})
        answer = functions.invoke(FunctionName=name, Payload=payload, LogType="Tail")
        return base64.b64decode(answer.get("LogResult", "")).decode().splitlines()

    assert written("x" * 100_000 + "\nlast\n")[-1] == "last"
    assert written("silent\n") == ["silent"]
    assert written("") == []
    assert written("failed\n", fails=True)[0] == "failed"
    assert written("one\nunfinished") == ["one", "unfinished"]


def test_there_are_no_traces(aws: Aws) -> None:
    xray, now = aws.client("xray"), datetime.now(tz=UTC)

    assert xray.get_trace_summaries(StartTime=now, EndTime=now)["TraceSummaries"] == []
    assert xray.batch_get_traces(TraceIds=["1-2-3"])["Traces"] == []
    assert xray.get_service_graph(StartTime=now, EndTime=now)["Services"] == []
    with pytest.raises(ClientError, match="not served by the embedded AWS"):
        xray.put_trace_segments(TraceSegmentDocuments=["{}"])


def test_a_metric_in_a_log_event_rings_an_alarm_which_is_mailed(aws: Aws) -> None:
    name = f"sales-{uuid.uuid4().hex}"
    topic = aws.client("sns").create_topic(Name=name)["TopicArn"]
    aws.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="ada@example.com")
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="Shop",
        MetricName="Sales",
        Dimensions=[{"Name": "till", "Value": name}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=2,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
    )

    log(aws, name, sales(name, 3))

    with urlopen(f"{aws.pages}mails") as answer:
        (mail,) = [mail for mail in json.load(answer) if mail["subject"].startswith(f'ALARM: "{name}"')]
    assert "State Change: INSUFFICIENT_DATA -> ALARM" in mail["text"]
    with urlopen(f"{aws.pages}metrics") as page:
        assert f"till = {name}" in page.read().decode()


def sales(till: str, number: int) -> str:
    directive = {"Namespace": "Shop", "Dimensions": [["till"]], "Metrics": [{"Name": "Sales"}]}
    head = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": head, "till": till, "Sales": number})


def log(aws: Aws, group: str, message: str) -> None:
    logs, names = aws.client("logs"), {"logGroupName": group, "logStreamName": "stream"}
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(**names)
    logs.put_log_events(**names, logEvents=[{"timestamp": int(time.time() * 1000), "message": message}])
