"""The build collects the wheels once, verified by pip, and leaves out what no job needs."""

import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from wheels import collect

WHEEL = "only_here-1.0-py3-none-any.whl"


def write_wheel(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in (
            "__init__.py",
            "test/data",
            "tests/data",
            "contest/data",
            "data.pyi",
            "defs.h",
            "capi/libonnxruntime.so.1.30.0",
        ):
            archive.writestr(f"only_here/{name}", name * 100)


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """The calls of pip, which downloads one wheel."""
    made: list[Sequence[str]] = []

    def run(command: Sequence[str], check: bool) -> None:
        made.append(command)
        folder = Path(command[-1].removeprefix("--dest="))
        folder.mkdir()
        write_wheel(folder / WHEEL)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(subprocess, "run", run)
    return made


def test_the_second_build_needs_no_network(calls: list[Any], tmp_path: Path) -> None:
    for folder in ("first", "second"):
        collect.main("containers", tmp_path / folder)
    assert len(calls) == 1
    assert {path.name for path in (tmp_path / "second").iterdir()} == {"__init__.py", WHEEL}
    assert (tmp_path / "first" / WHEEL).read_bytes() == (tmp_path / "second" / WHEEL).read_bytes()


def test_pip_verifies_every_file_and_builds_none(calls: list[Any], tmp_path: Path) -> None:
    collect.main("containers", tmp_path / "folder")
    assert {"--no-deps", "--only-binary=:all:", "--require-hashes"} <= set(calls[0])
    assert "--hash=sha256:" in collect.REQUIREMENTS.read_text()


def test_the_containers_and_this_interpreter_have_wheels_of_their_own(
    calls: list[Any], tmp_path: Path
) -> None:
    collect.main("containers", tmp_path / "containers")
    collect.main("this", tmp_path / "this")
    assert ["3.12" in call for call in calls] == [True, False]


def test_another_list_is_downloaded_again(calls: list[Any], tmp_path: Path) -> None:
    (tmp_path / "list").write_text("a==1")
    assert collect.cached("this") != collect.cached("this", tmp_path / "list")
    assert len(calls) == 2


def test_a_failed_download_leaves_nothing_that_looks_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: Sequence[str], check: bool) -> None:
        Path(command[-1].removeprefix("--dest=")).mkdir()
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(subprocess.CalledProcessError):
        collect.main("this", tmp_path / "folder")
    assert not any((tmp_path / "mpg" / "wheels").iterdir())


def test_tests_sources_and_libraries_for_c_are_left_out_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    write_wheel(tmp_path / "whole.whl")
    for name in ("once", "again"):
        collect.leave_out_needless(tmp_path / "whole.whl", tmp_path / name)
    with zipfile.ZipFile(tmp_path / "once") as archive:
        assert archive.namelist() == ["only_here/__init__.py", "only_here/contest/data"]
    assert (tmp_path / "once").read_bytes() == (tmp_path / "again").read_bytes()


def test_packages_that_the_library_does_not_import_are_left_out(tmp_path: Path) -> None:
    names = ["onnx/reference/op.py", "onnx/helper.py", "onnxruntime/tools/a.py", "other/onnx/tools/a.py"]
    with zipfile.ZipFile(tmp_path / "whole.whl", "w") as archive:
        for name in names:
            archive.writestr(name, "")
    collect.leave_out_needless(tmp_path / "whole.whl", tmp_path / "smaller.whl")
    with zipfile.ZipFile(tmp_path / "smaller.whl") as archive:
        assert archive.namelist() == ["onnx/helper.py", "other/onnx/tools/a.py"]
