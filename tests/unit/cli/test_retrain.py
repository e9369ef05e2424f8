"""`mpg retrain` follows a run that was started, and says why none was."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from deploy.problems import Trouble
from local.cli import retrain

ARN = "arn:aws:states:us-east-1:000000000000:execution:mpg-local:retrain-auto_mpg-1"


class FakeEndpoint:
    """A running `mpg up` whose function gives one answer."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    def client(self, service: str) -> Any:
        assert service == "lambda"
        return self

    def invoke(self, **request: Any) -> dict[str, Any]:
        self.asked.append((request["FunctionName"], json.loads(request["Payload"])))
        failed = {"FunctionError": "Unhandled"} if "errorType" in self.answer else {}
        return {**failed, "Payload": io.BytesIO(json.dumps(self.answer).encode())}


class FakeDrive:
    """Notes what is followed."""

    followed: ClassVar[list[tuple[str, str, str]]] = []

    def __init__(self, endpoint: Any, result: Any, screen: Any, *, stays: bool) -> None:
        assert stays
        self._result = result

    def follow(self, arn: str, workload: Any, began: float, decision: str) -> None:
        self._result.outcome = "approved"
        self.followed.append((arn, workload.name, decision))


def answers(monkeypatch: pytest.MonkeyPatch, **answer: Any) -> FakeEndpoint:
    endpoint = FakeEndpoint(answer)

    @contextmanager
    def connected(_: Any) -> Iterator[None]:
        yield

    monkeypatch.setattr(retrain, "running", lambda: endpoint)
    monkeypatch.setattr(retrain, "connected", connected)
    monkeypatch.setattr(retrain, "Drive", FakeDrive)
    monkeypatch.setattr("local.cli.deploy.outputs", lambda _: {"RetrainFunction": "the-function"})
    monkeypatch.setattr(FakeDrive, "followed", [])
    return endpoint


def test_the_run_is_followed_and_its_reason_is_in_the_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint = answers(monkeypatch, started=ARN, why_not=None, left_out="incoming/x.csv (deleted)")
    assert retrain.retrain_workload("auto_mpg", "all", "reject", as_json=True) == 0
    assert endpoint.asked == [("the-function", {"workload": "auto_mpg", "reason": "retrain", "on": "all"})]
    assert FakeDrive.followed == [(ARN, "auto_mpg", "reject")]
    shown = capsys.readouterr()
    assert json.loads(shown.out)["reason"] == "retrain"
    assert "Left out: incoming/x.csv (deleted)" in shown.err


def test_what_is_used_is_as_deployed_unless_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = answers(monkeypatch, started=ARN, why_not=None, left_out="")
    retrain.retrain_workload("digits", None, "none", as_json=False)
    assert endpoint.asked[0][1] == {"workload": "digits", "reason": "retrain"}


def test_a_refusal_is_shown_with_its_reason_and_is_no_failure_of_the_pipeline(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(monkeypatch, started=None, why_not="The last one was yesterday.", left_out="")
    assert retrain.retrain_workload("auto_mpg", None, "approve", as_json=True) == 1
    shown = capsys.readouterr()
    assert "No retraining was started.\nThe last one was yesterday." in shown.err
    result = json.loads(shown.out)
    assert (result["outcome"], result["cause"]) == ("not_started", "The last one was yesterday.")
    assert FakeDrive.followed == []


def test_a_function_that_fails_is_said_to_have_failed_without_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(monkeypatch, errorType="KeyError", errorMessage="secret")
    assert retrain.retrain_workload("auto_mpg", None, "approve", as_json=False) == 2
    shown = capsys.readouterr()
    assert "secret" not in shown.out + shown.err


def test_an_unknown_workload_is_refused_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint = answers(monkeypatch)
    assert retrain.retrain_workload("nothing", None, "approve", as_json=False) == 2
    assert endpoint.asked == []


def test_without_a_running_mpg_up_it_says_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none() -> None:
        raise Trouble("No mpg up is running for this checkout", "Start one with `mpg up`.")

    monkeypatch.setattr(retrain, "running", none)
    assert retrain.retrain_workload("auto_mpg", None, "approve", as_json=False) == 2
    assert "Start one with `mpg up`." in "".join(capsys.readouterr())
