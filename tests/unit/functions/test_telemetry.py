"""The content of logs, traces and metrics, and what must not reach them."""

import json
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from aws_lambda_powertools import Tracer
from aws_xray_sdk.core import xray_recorder
from aws_xray_sdk.core.context import Context
from botocore.exceptions import ClientError

from shared import telemetry, traces
from tests.unit.functions.fakes import service_error

SECRET = "the-link-id"


class Emitter(traces.TextlessEmitter):
    """Keeps the packets for the X-Ray daemon."""

    _ip = _port = None

    def __init__(self) -> None:
        self.sent = ""

    def _send_data(self, data: str) -> None:
        self.sent += data


@pytest.fixture
def emitter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emitter]:
    """Tracing as on AWS, with this emitter."""
    emitter = Emitter()
    xray_recorder.configure(context=Context(), sampling=False)
    monkeypatch.setattr(xray_recorder, "_emitter", emitter)
    monkeypatch.setattr(telemetry, "tracer", Tracer(disabled=False, auto_patch=False, service="test"))
    xray_recorder.begin_segment("lambda")
    yield emitter
    xray_recorder.clear_trace_entities()


def secretive(event: telemetry.Event) -> telemetry.Answer:
    if event.get("fail"):
        raise RuntimeError(SECRET)
    return {"link": SECRET}


def test_neither_events_nor_answers_are_traced(emitter: Emitter, context: Any) -> None:
    telemetry.observed(secretive)({"token": SECRET}, context)
    xray_recorder.end_segment()
    assert "secretive" in emitter.sent
    assert SECRET not in emitter.sent


def test_a_trace_names_an_error_and_never_repeats_its_text(emitter: Emitter, context: Any) -> None:
    with pytest.raises(RuntimeError):
        telemetry.observed(secretive)({"fail": True}, context)
    with pytest.raises(ClientError), xray_recorder.in_subsegment("outer"), xray_recorder.in_subsegment("s3"):
        raise service_error("AccessDenied", "GetObject", SECRET)
    xray_recorder.end_segment()
    assert "RuntimeError" in emitter.sent
    assert "ClientError" in emitter.sent
    assert SECRET not in emitter.sent


def test_a_tracer_on_aws_sends_no_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xray_recorder, "_emitter", None)
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "1")
    monkeypatch.setattr(traces.TextlessEmitter, "__init__", lambda self: None)  # which opens a socket
    traces.new_tracer()
    assert type(xray_recorder.emitter) is traces.TextlessEmitter


class Particular(UnicodeError):
    """Like some of Python's own, it cannot be made of a text."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)


DENIED = (
    f"{SECRET} is not authorized to perform: kms:Decrypt on the resource "
    "arn:aws:kms:us-east-1:111122223333:key/1234abcd because https://example.com/?X=1 says so"
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RuntimeError(SECRET), "The log names the lines of code."),
        (OSError(2, SECRET, SECRET), "The log names the lines of code."),
        (Particular(reason=SECRET), "The log names the lines of code."),
        (service_error("TaskTimedOut", "SendTaskSuccess", SECRET), "SendTaskSuccess TaskTimedOut"),
        (
            service_error("AccessDenied", "GetObject", DENIED),
            "GetObject AccessDenied kms:Decrypt arn:aws:kms:us-east-1:111122223333:key/1234abcd",
        ),
    ],
)
def test_lambda_records_only_an_errors_name_code_and_operation(
    error: Exception, text: str, context: Any
) -> None:
    def failing(event: telemetry.Event) -> telemetry.Answer:
        raise error

    with pytest.raises(type(error)) as raised:
        telemetry.observed(failing)({}, context)
    # As AWS's runtime client reads it, for its log and for X-Ray.
    assert (raised.type.__name__, str(raised.value)) == (type(error).__name__, text)
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_an_error_that_was_written_for_people_keeps_its_words(context: Any) -> None:
    def refusing(event: telemetry.Event) -> telemetry.Answer:
        raise telemetry.PublicError("line 14: horsepower is missing")

    with pytest.raises(telemetry.PublicError, match=r"^line 14: horsepower is missing$"):
        telemetry.observed(refusing)({}, context)


def test_neither_events_nor_answers_are_logged(log: Any, context: Any, capsys: Any) -> None:
    telemetry.observed(secretive)({"token": SECRET}, context)
    assert SECRET not in log.getvalue() + "".join(capsys.readouterr())


def test_the_log_has_an_errors_type_and_place_but_not_its_text() -> None:
    try:
        secretive({"fail": True})
    except RuntimeError as error:
        logged = json.dumps(telemetry.describe_error(error))
    assert "RuntimeError" in logged
    assert "test_telemetry.py" in logged
    assert SECRET not in logged


def test_metrics_are_printed_for_cloudwatch(context: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def counting(event: telemetry.Event) -> telemetry.Answer:
        telemetry.count("RunEndTold")
        return {}

    telemetry.observed(counting)({}, context)
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["RunEndTold"] for line in printed if "RunEndTold" in line] == [[1.0]]
