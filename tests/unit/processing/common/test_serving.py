import hashlib
from pathlib import Path

import pytest

from common.serving import (
    FILES_DIGEST,
    UnusableModel,
    accepted,
    files_digest,
    media_type,
    refuse_changed_files,
)

FILES = ("mean.txt", "code/a.py", "code/common/b.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "code" / "common").mkdir(parents=True)
    for name in FILES:
        (tmp_path / name).write_text(name)
    return tmp_path


def test_the_digest_is_that_of_the_list_that_sha256sum_prints(folder: Path) -> None:
    listed = "".join(
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in sorted(FILES)
    )
    assert files_digest(folder, ["mean.txt"]) == f"sha256:{hashlib.sha256(listed.encode()).hexdigest()}"


def test_files_of_the_container_and_of_python_are_ignored(folder: Path) -> None:
    before = files_digest(folder, ["mean.txt"])
    (folder / "code" / "__pycache__").mkdir()
    (folder / "code" / "__pycache__" / "a.cpython-312.pyc").write_bytes(b"x")
    (folder / "nginx.conf").write_text("x")
    assert files_digest(folder, ["mean.txt"]) == before


def test_the_evaluated_files_are_not_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_changed_files(folder, ["mean.txt"])
    monkeypatch.setenv(FILES_DIGEST, files_digest(folder, ["mean.txt"]))
    refuse_changed_files(folder, ["mean.txt"])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", ["changed", "deleted"])
def test_any_other_file_is_refused(
    name: str, change: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FILES_DIGEST, files_digest(folder, ["mean.txt"]))
    (folder / name).write_text("other") if change == "changed" else (folder / name).unlink()
    with pytest.raises(UnusableModel, match=r"not those that were evaluated|mean.txt is missing"):
        refuse_changed_files(folder, ["mean.txt"])


def test_code_that_was_added_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FILES_DIGEST, files_digest(folder, ["mean.txt"]))
    (folder / "code" / "sitecustomize.py").touch()
    with pytest.raises(UnusableModel, match="not those that were evaluated"):
        refuse_changed_files(folder, ["mean.txt"])


def test_media_types_are_read_without_their_parameters() -> None:
    assert media_type("Text/CSV; charset=utf-8") == "text/csv"
    assert accepted("text/html, application/json;q=0.9") == ["text/html", "application/json"]
