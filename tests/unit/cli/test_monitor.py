"""`mpg monitor` says what a look at each workload found."""

import json
from typing import Any

import pytest

from local.cli import deploy, monitor
from local.cli.endpoint import Endpoint

ARN = "arn:aws:states:us-east-1:000000000000:execution:mpg-local-monitor:1"
OUTCOME = {"workload": "auto_mpg", "outcome": "found", "drifted": True, "degraded": True, "notes": []}


class FakeStates:
    """Step Functions, in which an execution ends after it was described twice."""

    def __init__(self, described: dict[str, Any]) -> None:
        self.described = [{"status": "RUNNING"}, described]
        self.inputs: list[Any] = []

    def start_execution(self, *, stateMachineArn: str, input: str) -> dict[str, str]:  # noqa: A002, N803
        assert stateMachineArn == "arn:monitor"
        self.inputs.append(json.loads(input))
        return {"executionArn": ARN}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        assert executionArn == ARN
        return self.described.pop(0)


def look(
    monkeypatch: pytest.MonkeyPatch,
    described: dict[str, Any],
    name: str | None = None,
    *,
    as_json: bool = False,
) -> tuple[int, FakeStates]:
    states = FakeStates(described)
    endpoint = Endpoint(1, "secret")
    monkeypatch.setattr(monitor, "running", lambda: endpoint)
    monkeypatch.setattr(Endpoint, "client", lambda self, service: states)
    monkeypatch.setattr(deploy, "outputs", lambda _: {"MonitorStateMachineArn": "arn:monitor"})
    monkeypatch.setattr(monitor, "_POLL_SECONDS", 0)
    return monitor.look_now(name, as_json=as_json), states


def ended(*outcomes: dict[str, Any]) -> dict[str, Any]:
    return {"status": "SUCCEEDED", "output": json.dumps({"workloads": outcomes})}


def test_what_was_found_is_said_for_each_workload(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = {"workload": "digits", "outcome": "no_model", "notes": ["No model is live."]}
    uri = "s3://bucket/monitoring/auto_mpg/x/report.html"
    code, states = look(monkeypatch, ended({**OUTCOME, "report_uri": uri}, other))
    assert code == 0
    assert states.inputs == [{"reason": "request"}]
    assert capsys.readouterr().out.split("\n")[:4] == [
        "auto_mpg: drift and worse predictions",
        f"  {uri}",
        "digits: no model to watch",
        "  No model is live.",
    ]


def test_one_workload_can_be_named_and_the_answer_be_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, states = look(monkeypatch, ended(OUTCOME), "auto_mpg", as_json=True)
    assert code == 0
    assert states.inputs == [{"reason": "request", "workload": "auto_mpg"}]
    assert json.loads(capsys.readouterr().out) == {"status": "SUCCEEDED", "workloads": [OUTCOME]}


def test_an_unknown_workload_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    code, states = look(monkeypatch, ended(), "nobody")
    assert (code, states.inputs) == (2, [])


def test_a_failure_is_the_exit_code_and_its_cause_has_no_links(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = {"status": "FAILED", "cause": "auto_mpg: see http://evil.example"}
    code, _ = look(monkeypatch, failed)
    said = capsys.readouterr().out
    assert code == 2
    assert "Monitoring failed." in said
    assert "http://" not in said
