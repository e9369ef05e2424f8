"""Code of functions is unpacked once, and every process sees all of it."""

import zipfile
from pathlib import Path

import pytest

from local.embedded.function_code import SharedZips


@pytest.fixture
def shared(tmp_path: Path) -> SharedZips:
    return SharedZips(tmp_path / "unpacked")


def pack(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/") + ".py", content)
    return path


def unpack(shared: SharedZips, archive: Path, target: Path) -> Path:
    target.mkdir()
    with shared.ZipFile(str(archive)) as opened:
        opened.extractall(str(target))
    return target


def test_each_process_has_the_code_in_a_folder_of_its_own(shared: SharedZips, tmp_path: Path) -> None:
    archive = pack(tmp_path / "code.zip", handler="one", package__module="two")
    for name in ("first", "second"):
        code = unpack(shared, archive, tmp_path / name)
        assert sorted(path.name for path in code.iterdir()) == ["handler.py", "package"]
        assert (code / "handler.py").read_text() == "one"
        assert (code / "package" / "module.py").read_text() == "two"


def test_the_same_code_is_unpacked_once(shared: SharedZips, tmp_path: Path) -> None:
    archives = [pack(tmp_path / "a.zip", handler="x"), tmp_path / "b.zip"]
    archives[1].write_bytes(archives[0].read_bytes())
    first, second = (unpack(shared, archive, tmp_path / archive.stem) for archive in archives)
    assert (first / "handler.py").resolve() == (second / "handler.py").resolve()


def test_other_code_is_unpacked_beside_it(shared: SharedZips, tmp_path: Path) -> None:
    old = unpack(shared, pack(tmp_path / "a.zip", handler="old"), tmp_path / "a")
    new = unpack(shared, pack(tmp_path / "b.zip", handler="new"), tmp_path / "b")
    assert [(code / "handler.py").read_text() for code in (old, new)] == ["old", "new"]


def test_removing_a_process_leaves_the_code_to_the_others(shared: SharedZips, tmp_path: Path) -> None:
    archive = pack(tmp_path / "code.zip", handler="x")
    first, second = (unpack(shared, archive, tmp_path / name) for name in ("first", "second"))
    (first / "handler.py").unlink()
    assert (second / "handler.py").read_text() == "x"


def test_what_is_no_archive_is_refused_as_ever(shared: SharedZips, tmp_path: Path) -> None:
    broken = tmp_path / "code.zip"
    broken.write_bytes(b"no archive")
    with pytest.raises(shared.BadZipFile):
        shared.ZipFile(str(broken))
