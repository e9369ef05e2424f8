import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.problems import Trouble
from local.cli import main, run
from local.cli.drive import Drive
from local.cli.endpoint import Endpoint
from local.cli.interrupts import Interrupts
from local.cli.project import ROOT


def mpg(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "local.cli.main", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("command", ["run", "report", "deploy", "destroy", "preflight", "quotas"])
def test_help_imports_nothing_heavy(command: str) -> None:
    code = f"""
import sys
from local.cli import main
try:
    main.cli(["{command}", "--help"])
except SystemExit:
    pass
heavy = {{"boto3", "botocore", "rich", "numpy", "samcli", "ministack"}} & set(sys.modules)
sys.exit(", ".join(heavy) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "no-such-file.csv"],
        ["run", "data"],
        ["run", "--decision", "maybe"],
        ["run", "--threshold", "-1"],
        ["run", "--threshold", "x"],
        ["up", "--port", "0"],
    ],
)
def test_a_wrong_command_line_is_reported_before_anything_starts(arguments: list[str]) -> None:
    done = mpg(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Error: Invalid value" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["README.md"], "'README.md' is of no kind that starts a run: "),
        (["README.md"], "auto_mpg takes .csv"),
        (["data/auto-mpg.csv", "--workload", "boats"], "there is no workload 'boats'; there are auto_mpg"),
        (["README.md", "--workload", "auto_mpg"], "'README.md' is of no kind that starts a run"),
    ],
)
def test_a_file_that_no_workload_takes_is_refused_before_anything_starts(
    arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def start(*_: Any, **__: Any) -> int:
        raise AssertionError("it started")

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(run, "run_file", start)
    with pytest.raises(SystemExit) as ended:
        main.cli(["run", *arguments])
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert told in printed.err


class FakeDrive:
    """Replaces the run itself; the next run raises `fails`."""

    fails: BaseException | None = None

    def run(self, file: Path, workload: str | None, decision: str, *, reuse: bool) -> None:
        self.result.outcome = {"reject": "rejected", "approve": "approved", "none": "pending"}[decision]
        self.screen.line(f"ran {file.name}")
        if self.fails:
            raise self.fails

    def __init__(self, endpoint: Endpoint, result: Any, screen: Any, *, stays: bool) -> None:
        self.result = result
        self.screen = screen


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> type[FakeDrive]:
    @contextmanager
    def deployed(*_: Any) -> Iterator[tuple[Endpoint, bool]]:
        yield Endpoint(1, "secret"), False

    class Fresh(FakeDrive):
        pass

    monkeypatch.setattr(run, "deployed", deployed)
    monkeypatch.setattr(run, Drive.__name__, Fresh)
    return Fresh


def run_file(*, as_json: bool, decision: str = "approve") -> int:
    return run.run_file(Interrupts(), run.Order(Path("cars.csv"), None, decision, None), as_json=as_json)


def test_json_is_one_object_on_the_only_line_of_stdout(
    drive: type[FakeDrive], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_file(as_json=True, decision="reject") == 0
    printed = capsys.readouterr()
    (line,) = printed.out.splitlines()
    assert json.loads(line)["outcome"] == "rejected"
    assert "ran cars.csv" in printed.err


def test_without_json_everything_goes_to_stdout(
    drive: type[FakeDrive], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_file(as_json=False) == 0
    printed = capsys.readouterr()
    assert printed.out == "ran cars.csv\n"
    assert printed.err == ""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Trouble("the embedded AWS is gone", "Start it."), "the embedded AWS is gone"),
        (ZeroDivisionError("a bug"), "a bug"),
    ],
)
@pytest.mark.parametrize(("decision", "outcome"), [("none", "failed"), ("approve", "approved")])
def test_the_exit_code_and_the_json_object_report_any_failure_but_an_approval_stays(
    drive: type[FakeDrive],
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    words: str,
    decision: str,
    outcome: str,
) -> None:
    drive.fails = error
    assert run_file(as_json=True, decision=decision) == 2
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert result["outcome"] == outcome
    assert words in result["cause"]
    assert words in printed.err
