"""Libraries that come with the code, as wheels."""

import importlib
import sys
import zipfile
from pathlib import Path

import pytest

from common.wheels import importable


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """A folder with one wheel, whose modules are named like one of this interpreter and like none."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "only_here-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("only_here/__init__.py", "VALUE = 7\n")
        archive.writestr("iniconfig/__init__.py", "VALUE = 'of the wheel'\n")
    (folder / "notes.txt").write_text("no wheel")
    return folder


@pytest.fixture(autouse=True)
def forgotten() -> None:
    for name in ("only_here", "iniconfig"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()


def test_modules_of_wheels_come_before_those_of_the_image(wheels: Path) -> None:
    before = list(sys.path)
    with importable(wheels):
        assert importlib.import_module("only_here").VALUE == 7
        assert importlib.import_module("iniconfig").VALUE == "of the wheel"
    assert sys.path == before


def test_without_a_folder_nothing_changes() -> None:
    before = list(sys.path)
    with importable(None):
        assert sys.path == before
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("only_here")


def test_a_wheel_is_unpacked_when_one_of_its_modules_is_imported(
    wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked = []
    extract = zipfile.ZipFile.extractall

    def record(archive: zipfile.ZipFile, folder: Path) -> None:
        unpacked.append(archive.filename)
        extract(archive, folder)

    monkeypatch.setattr(zipfile.ZipFile, "extractall", record)
    with importable(wheels):
        importlib.reload(importlib.import_module("colorsys"))
        assert not unpacked
        importlib.import_module("only_here")
        importlib.import_module("iniconfig")
        assert len(unpacked) == 1
