from pathlib import Path

import pytest

from common import job


class KnownError(Exception):
    pass


def fail(error: Exception) -> str:
    raise error


def test_the_exit_message_of_a_finished_job_is_its_result(tmp_path: Path) -> None:
    assert job.run(lambda _: "sha256:0", tmp_path / "output" / "message", known=(KnownError,)) == 0
    assert (tmp_path / "output" / "message").read_text() == "sha256:0"


def test_a_job_whose_exit_message_cannot_be_written_has_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert job.run(lambda _: "sha256:0", tmp_path, known=(KnownError,)) == 1
    assert capsys.readouterr().err.startswith("the exit message cannot be written: ")


def test_a_known_error_is_reported_in_its_own_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = tmp_path / "output" / "message"
    assert job.run(lambda _: fail(KnownError("mpg is missing")), message, known=(KnownError,)) == 1
    assert message.read_text() == "mpg is missing"
    assert capsys.readouterr().err == "mpg is missing\n"


def test_an_unknown_error_is_reported_in_a_line_and_its_traceback_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert job.run(lambda _: fail(KeyError("a\nb")), tmp_path / "message", known=(KnownError,)) == 1
    told = "unexpected error KeyError: 'a\\nb'; see the job's log"
    assert (tmp_path / "message").read_text() == told
    assert capsys.readouterr().err.startswith("Traceback")


def test_a_long_message_is_cut_to_what_sagemaker_shows(tmp_path: Path) -> None:
    job.run(lambda _: fail(KnownError("é" * 5000)), tmp_path / "message", known=(KnownError,))
    assert (tmp_path / "message").read_text(encoding="utf-8") == "é" * 999 + "…"


def test_a_message_that_cannot_be_written_is_still_in_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert job.run(lambda _: fail(KnownError("reason")), tmp_path, known=(KnownError,)) == 1
    assert capsys.readouterr().err == "reason\n"
