"""The generic job, with the smallest workload."""

import json
from pathlib import Path

import pytest

from common.preprocessing import CHANNELS, main
from common.workload import Workload
from tests.unit.processing.common.conftest import URI
from tests.unit.processing.conftest import sha256

NAME = "incoming/guess/numbers.txt"


def run(workload: Workload, upload: Path, folder: Path, digest: str = "") -> int:
    arguments = ["--upload", upload, "--upload-digest", digest or sha256(upload), "--output-uri", URI]
    arguments += ["--output", folder / "prepared", "--exit-message", folder / "out" / "message"]
    return main(workload, [*map(str, arguments), "--file-name", NAME])


def test_the_exit_message_is_the_digest_of_a_summary_that_has_those_of_everything_else(
    guess: Workload, upload: Path, tmp_path: Path
) -> None:
    assert run(guess, upload, tmp_path) == 0
    summary = tmp_path / "prepared" / "summary.json"
    assert (tmp_path / "out" / "message").read_text() == sha256(summary)
    content = json.loads(summary.read_text())
    assert content["upload_digest"] == sha256(upload)
    written = [path for path in (tmp_path / "prepared").rglob("*") if path.is_file() and path != summary]
    assert content["digests"] == {
        path.relative_to(tmp_path / "prepared").as_posix(): sha256(path) for path in written
    }
    assert len(written) == 4 + len(CHANNELS)


def test_a_second_time_in_the_same_folder_gives_the_same(
    guess: Workload, upload: Path, tmp_path: Path
) -> None:
    digests = []
    for _ in range(2):
        assert run(guess, upload, tmp_path) == 0
        digests.append((tmp_path / "out" / "message").read_text())
    assert digests[0] == digests[1]


def test_the_summary_has_the_workloads_rows_warnings_and_report(
    guess: Workload, upload: Path, tmp_path: Path
) -> None:
    run(guess, upload, tmp_path)
    content = json.loads((tmp_path / "prepared" / "summary.json").read_text())
    assert content["workload"] == "guess"
    assert content["rows"] == {
        "uploaded": 4,
        "labelled": 4,
        "unlabelled": 0,
        "train": 2,
        "validation": 1,
        "test": 1,
        "batch": 1,
    }
    assert (content["warnings"], content["report"]) == (["these are few numbers"], {"largest": "30"})


@pytest.mark.parametrize("channel", CHANNELS)
def test_each_channel_has_a_manifest_of_its_files(channel: str, guess_prepared: Path) -> None:
    content = json.loads((guess_prepared / channel / f"{channel}.manifest").read_text())
    assert content == [{"prefix": f"{URI}{channel}/"}, f"{channel}.csv"]


def test_the_log_has_the_numbers_of_rows(
    guess: Workload, upload: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(guess, upload, tmp_path)
    assert capsys.readouterr().out.startswith("rows: 4 uploaded, 4 labelled, 0 unlabelled, 2 train")


def test_a_bad_upload_is_refused_with_the_word_by_which_a_refusal_is_known(
    guess: Workload, upload: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upload.write_text("one")
    assert run(guess, upload, tmp_path) == 1
    message = f"UploadRefused: {NAME} holds something that is no number"
    assert (tmp_path / "out" / "message").read_text() == message
    assert capsys.readouterr().err == message + "\n"
    assert not (tmp_path / "prepared").exists()


def test_an_upload_that_was_changed_after_its_check_is_refused(
    guess: Workload, upload: Path, tmp_path: Path
) -> None:
    assert run(guess, upload, tmp_path, digest=f"sha256:{'0' * 64}") == 1
    message = (tmp_path / "out" / "message").read_text()
    assert message.startswith(f"{NAME} was changed after it was written: its digest is sha256:")
    assert not (tmp_path / "prepared").exists()


def test_an_unexpected_error_is_reported_in_a_line_and_logged_with_its_traceback(
    guess: Workload, upload: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prepared").write_bytes(b"no folder")
    assert run(guess, upload, tmp_path) == 1
    assert "Traceback" in capsys.readouterr().err
    message = (tmp_path / "out" / "message").read_text()
    assert message.startswith("unexpected error")
    assert message.endswith("; see the job's log")


def listed(tmp_path: Path, *names: str) -> Path:
    """A list of uploads, as the function that checks them writes it."""
    files = []
    for place, name in enumerate(names):
        path = tmp_path / f"upload.{place:05}.txt"
        path.write_text(f"{place}\n" * 4)
        files.append({"file": path.name, "digest": sha256(path), "name": name})
    found = tmp_path / "upload.list.json"
    found.write_text(json.dumps({"files": files}))
    return found


def test_the_uploads_of_a_list_are_prepared_together_by_their_names(
    guess: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[tuple[Path, str]]] = []
    module = guess.module("preprocess")

    def prepare_all(uploads: list[tuple[Path, str]], output: Path, cluster: object) -> object:
        seen.append(uploads)
        return module.prepare(*uploads[-1], output, cluster)

    monkeypatch.setattr(module, "prepare_all", prepare_all, raising=False)
    upload = listed(tmp_path, "incoming/a.txt", "incoming/b.txt")
    assert run(guess, upload, tmp_path) == 0
    assert seen == [
        [(tmp_path / "upload.00000.txt", "incoming/a.txt"), (tmp_path / "upload.00001.txt", "incoming/b.txt")]
    ]
    summary = json.loads((tmp_path / "prepared" / "summary.json").read_text())
    assert summary["upload_digest"] == sha256(upload)


@pytest.mark.parametrize("changed", ["upload.00000.txt", "upload.00001.txt", "upload.list.json"])
def test_a_changed_upload_or_list_is_refused_by_its_name(
    guess: Workload, tmp_path: Path, changed: str
) -> None:
    upload = listed(tmp_path, "incoming/a.txt", "incoming/b.txt")
    digest = sha256(upload)
    (tmp_path / changed).write_text('{"files": []}')
    assert run(guess, upload, tmp_path, digest) == 1
    names = {"upload.00000.txt": "incoming/a.txt", "upload.00001.txt": "incoming/b.txt"}
    message = (tmp_path / "out" / "message").read_text()
    assert message.startswith(f"{names.get(changed, NAME)} was changed after it was written")
