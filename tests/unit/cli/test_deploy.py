import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from deploy.problems import Trouble
from local.cli import deploy
from local.cli.endpoint import Endpoint
from local.cli.interrupts import Interrupts


class FakeStack:
    """A CloudFormation whose update takes a moment, during which it refuses another one."""

    def __init__(self) -> None:
        self.values = {"ApproverEmail": "a@example.com", "MseThreshold": "46.0"}
        self.history: list[str] = []
        self.refuses: str | None = None
        self._statuses: Iterator[str] = iter(())
        self._status = "CREATE_COMPLETE"

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        self._status = next(self._statuses, self._status)
        pairs = [{"ParameterKey": k, "ParameterValue": v} for k, v in self.values.items()]
        return {"Stacks": [{"StackStatus": self._status, "Parameters": pairs}]}

    def update_stack(self, **request: Any) -> None:
        assert self._status.endswith("_COMPLETE")
        assert request["UsePreviousTemplate"]
        kept = [p["ParameterKey"] for p in request["Parameters"] if p.get("UsePreviousValue")]
        assert kept == ["ApproverEmail"]
        (value,) = [p["ParameterValue"] for p in request["Parameters"] if "ParameterValue" in p]
        self.history.append(value)
        if value == self.refuses:
            self._statuses = iter(["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"])
            return
        self.values["MseThreshold"] = value
        self._statuses = iter(["UPDATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"])

    def be_busy_and_interrupt(self) -> None:
        self._statuses, self._status = iter(["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]), "UPDATE_IN_PROGRESS"
        raise KeyboardInterrupt


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> FakeStack:
    fake = FakeStack()
    monkeypatch.setattr(Endpoint, "client", lambda self, service: {"cloudformation": fake}[service])
    return fake


def test_a_parameter_replaces_only_itself_among_the_configured_parameters(tmp_path: Path) -> None:
    (tmp_path / "samconfig.toml").write_text(
        '[local.deploy.parameters]\nparameter_overrides = ["ApproverEmail=a@b.c", "MseThreshold=46"]\n'
    )
    assert deploy.overrides({"MseThreshold": "1.5"}, tmp_path) == ["ApproverEmail=a@b.c", "MseThreshold=1.5"]


def test_overrides_written_as_one_string_are_understood_too(tmp_path: Path) -> None:
    (tmp_path / "samconfig.toml").write_text('[local.deploy.parameters]\nparameter_overrides = "A=1 B=2"\n')
    assert deploy.overrides({"MseThreshold": "7"}, tmp_path) == ["A=1", "B=2", "MseThreshold=7"]


def test_without_own_parameters_the_configured_parameters_count() -> None:
    assert "--parameter-overrides" not in deploy.arguments(Path("template.yaml"), {})


def test_the_sam_cli_finds_that_it_looked_for_a_new_version_just_now(tmp_path: Path) -> None:
    variables = deploy.quiet_sam(tmp_path / "sam")
    notes = json.loads((Path(variables["__SAM_CLI_APP_DIR"]) / "metadata.json").read_text())
    assert notes["lastVersionCheck"] == pytest.approx(time.time(), abs=60)
    assert notes["telemetryEnabled"] is False


def own_limit(value: str) -> AbstractContextManager[dict[str, str]]:
    return deploy.own_parameters(Endpoint(1, "secret"), {"MseThreshold": value}, Interrupts())


def test_no_parameter_of_ones_own_asks_nothing_of_the_stack(stack: FakeStack) -> None:
    stack.values.clear()
    with deploy.own_parameters(Endpoint(1, "secret"), {}, Interrupts()) as before:
        assert before == {}
    assert stack.history == []


def test_an_own_threshold_is_set_and_restored(stack: FakeStack) -> None:
    with own_limit("1") as before:
        assert before == {"MseThreshold": "46.0"}
        assert stack.values["MseThreshold"] == "1"
    assert stack.values["MseThreshold"] == "46.0"


def test_the_previous_threshold_is_restored_when_the_run_fails(stack: FakeStack) -> None:
    with pytest.raises(ZeroDivisionError), own_limit("1"):
        raise ZeroDivisionError
    assert stack.values["MseThreshold"] == "46.0"


def test_the_previous_threshold_is_restored_when_the_change_is_interrupted(stack: FakeStack) -> None:
    with pytest.raises(KeyboardInterrupt), own_limit("1"):
        stack.be_busy_and_interrupt()
    assert stack.values["MseThreshold"] == "46.0"


def test_the_same_threshold_changes_nothing(stack: FakeStack) -> None:
    with own_limit("46.0"):
        pass
    assert stack.history == []


def test_a_threshold_that_is_not_accepted_is_reported(stack: FakeStack) -> None:
    stack.refuses = "1"
    with (
        pytest.raises(Trouble, match="UPDATE_ROLLBACK_COMPLETE"),
        own_limit("1"),
    ):
        pass
