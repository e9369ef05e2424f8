"""`mpg report`: which run is meant, and where its page goes."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from local.cli import run_report
from local.cli.main import cli
from local.cli.run_report import write_report
from runs.executions import Execution

ARN = "arn:aws:states:us-east-1:000000000000:execution:mpg-local:"


def execution(name: str, minute: int) -> Execution:
    return Execution(ARN + name, "SUCCEEDED", 0, datetime(2026, 3, 1, 9, minute, tzinfo=UTC), None)


NEWEST, OLDER = execution("aaaa_bbbb", 30), execution("cccc_dddd", 20)


@pytest.fixture
def executions(monkeypatch: pytest.MonkeyPatch) -> list[Execution]:
    """Those of the running `mpg up`, newest first. A page is the name of its execution."""
    found = [NEWEST, OLDER]
    made: Any = lambda execution: SimpleNamespace(run_id=execution.run_id, made_of=execution.arn)  # noqa: E731
    monkeypatch.setattr(run_report, "running", lambda: SimpleNamespace(url="", environment=dict))
    outputs = {
        "StateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:mpg-local",
        "BucketName": "b",
        "TableName": "t",
    }
    monkeypatch.setattr("local.cli.deploy.outputs", lambda _: outputs)
    monkeypatch.setattr("runs.executions.list_executions", lambda *_: found)
    monkeypatch.setattr(run_report, "_gather", made)
    monkeypatch.setattr(run_report, "_advice", lambda run_id: [f" {run_id}"])
    monkeypatch.setattr("reporting.page.report_page", lambda run, _, advice: run.made_of + "".join(advice))
    monkeypatch.setattr(
        "reporting.comparing.comparison_page", lambda runs, _: f"{runs[0].made_of} {runs[1].made_of}"
    )
    for name in ("AWS_REGION", "BUCKET_NAME", "TABLE_NAME"):
        monkeypatch.setenv(name, "")
    return found


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ((), NEWEST),
        (("0920",), OLDER),
        ((OLDER.run_id,), OLDER),
        ((NEWEST.run_id[-5:],), NEWEST),
        (("cccc_dddd",), OLDER),
    ],
)
def test_a_unique_part_of_a_runs_id_names_it_and_without_one_it_is_the_newest(
    executions: list[Execution], tmp_path: Path, part: tuple[str, ...], found: Execution
) -> None:
    assert write_report(part, tmp_path, None, None) == 0
    [page] = tmp_path.iterdir()
    # With the advice on its instances.
    assert (page.name, page.read_text()) == (f"{found.run_id}.html", f"{found.arn} {found.run_id}")


def test_two_runs_are_compared_in_the_order_in_which_they_are_named(
    executions: list[Execution], tmp_path: Path
) -> None:
    assert write_report(("0920", "0930"), tmp_path, None, None) == 0
    [page] = tmp_path.iterdir()
    assert page.name == f"{OLDER.run_id}-and-{NEWEST.run_id}.html"
    assert page.read_text() == f"{OLDER.arn} {NEWEST.arn}"


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("nowhere", ['No run has "nowhere" in its id', NEWEST.run_id, "90 days"]),
        ("mpg-2026", ['2 runs have "mpg-2026" in their ids', NEWEST.run_id, OLDER.run_id]),
    ],
)
def test_a_part_that_names_no_run_or_several_is_refused_with_the_way_out(
    executions: list[Execution],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    part: str,
    words: list[str],
) -> None:
    assert write_report((part,), tmp_path, None, None) == 2
    said = " ".join(capsys.readouterr().out.split())
    assert all(word in said for word in words)
    assert not list(tmp_path.iterdir())


def test_without_any_run_it_says_how_to_start_one(
    executions: list[Execution], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    executions.clear()
    assert write_report((), tmp_path, None, None) == 2
    assert "There is no run yet" in capsys.readouterr().out


def test_a_dash_writes_the_page_and_nothing_else_to_stdout(
    executions: list[Execution], capsys: pytest.CaptureFixture[str]
) -> None:
    assert write_report((), Path("-"), None, None) == 0
    assert capsys.readouterr().out == f"{NEWEST.arn} {NEWEST.run_id}"


def test_a_page_that_cannot_be_written_is_an_error_in_words(
    executions: list[Execution], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write_report((), tmp_path / "missing" / "page.html", None, None) == 2
    assert "cannot be written: No such file or directory" in " ".join(capsys.readouterr().out.split())


def test_a_region_without_an_environment_is_a_wrong_command_line() -> None:
    done = CliRunner().invoke(cli, ["report", "--region", "eu-west-1"])
    assert done.exit_code == 2
    assert "give --config-env, too" in done.output
