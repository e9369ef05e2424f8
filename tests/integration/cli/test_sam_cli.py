"""The SAM CLI in a warm interpreter: each command is what `sam` would have been."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cli.children import Children
from local.cli.deploy import quiet_sam
from local.cli.endpoint import Endpoint
from local.cli.interrupts import Interrupts
from local.cli.sam_cli import SamCli
from tests.conftest import free_port

SECONDS = 240.0


@pytest.fixture
def children() -> Iterator[Children]:
    started = Children(Interrupts())
    yield started
    started.stop_all()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **quiet_sam(tmp_path / "sam")}


@pytest.fixture
def sam(children: Children, environment: dict[str, str], tmp_path: Path) -> SamCli:
    return SamCli(children, environment, tmp_path / "sam.log")


def test_commands_follow_each_other_with_an_exit_code_a_log_and_an_environment_of_their_own(
    sam: SamCli, environment: dict[str, str], tmp_path: Path
) -> None:
    sam.start(["--version"], environment, tmp_path / "version.log")
    # A command that does not end in time has no exit code; this one waits for the imports.
    assert sam.wait(0.001) is None
    assert sam.wait(SECONDS) == 0
    assert (tmp_path / "version.log").read_text().startswith("SAM CLI, version ")
    # A variable that the command reads itself, instead of an option.
    missing = {**environment, "SAM_TEMPLATE_FILE": str(tmp_path / "nowhere.yaml")}
    sam.start(["validate", "--region", "us-east-1"], missing, tmp_path / "validate.log")
    assert sam.wait(SECONDS) != 0
    assert str(tmp_path / "nowhere.yaml") in (tmp_path / "validate.log").read_text()
    sam.start(["no-such-command"], environment, tmp_path / "wrong.log")
    assert sam.wait(SECONDS) == 2
    assert "No such command" in (tmp_path / "wrong.log").read_text()
    assert (tmp_path / "sam.log").read_text() == ""
    # A call that fails has an exit code and no answer.
    nowhere = {**Endpoint(free_port(), "secret").variables(), "AWS_MAX_ATTEMPTS": "1"}
    log, answer = tmp_path / "call.log", tmp_path / "answer"
    sam.call("s3", "create_bucket", {"Bucket": "any"}, {**environment, **nowhere}, log, answer)
    assert sam.wait(SECONDS) == 1
    assert "EndpointConnectionError" in log.read_text()
    assert not answer.exists()
    # The interpreter ends once nobody needs it.
    sam.close()


def test_an_interpreter_that_ends_is_a_failed_command(
    sam: SamCli, children: Children, environment: dict[str, str], tmp_path: Path
) -> None:
    sam.start(["--version"], environment, tmp_path / "log")
    children.stop_all()
    assert sam.wait(SECONDS) == -signal.SIGTERM
