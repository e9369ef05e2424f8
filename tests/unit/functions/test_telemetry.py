"""What reaches logs, traces and metrics, and what must not."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from aws_lambda_powertools import Tracer
from aws_xray_sdk.core import xray_recorder
from aws_xray_sdk.core.context import Context

import telemetry

SECRET = "the-link-id"


class Emitter:
    """Keeps the segments that would go to the X-Ray daemon."""

    def __init__(self) -> None:
        self.sent = ""

    def send_entity(self, entity: Any) -> None:
        self.sent += str(entity.serialize())


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


def test_neither_events_nor_answers_are_logged(log: Any, context: Any, capsys: Any) -> None:
    telemetry.observed(secretive)({"token": SECRET}, context)
    assert SECRET not in log.getvalue() + "".join(capsys.readouterr())


def test_of_an_error_the_log_gets_type_and_place_and_never_the_text() -> None:
    try:
        secretive({"fail": True})
    except RuntimeError as error:
        logged = json.dumps(telemetry.describe_error(error))
    assert "RuntimeError" in logged
    assert "test_telemetry.py" in logged
    assert SECRET not in logged


def test_what_is_counted_is_printed_for_cloudwatch(context: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def counting(event: telemetry.Event) -> telemetry.Answer:
        telemetry.count("RunEndTold")
        return {}

    telemetry.observed(counting)({}, context)
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["RunEndTold"] for line in printed if "RunEndTold" in line] == [[1.0]]
