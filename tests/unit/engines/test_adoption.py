"""A library that a job brings, and that the warm interpreter has loaded."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

# What the warm interpreter and then a job do, in a process of its own, because it changes how modules are found.
JOB = """
import sys
from local.sagemaker.engines.warm import adoption
from local.sagemaker.engines.warm.hiding import hide
sys.path.insert(0, sys.argv[1])
import brought.inner
adoption.BROUGHT = frozenset({"brought", "absent"})
adoption.remember()
hide(["brought"])
sys.path[:0] = sys.argv[2:]
try:
    import brought.inner
    print(brought.__file__.startswith(sys.argv[1]), brought.inner.VALUE)
    import brought.later
    print(brought.later.VALUE)
except ModuleNotFoundError as error:
    print(error)
"""
FILES = {"__init__.py": "", "inner.py": "VALUE = 1\n", "later.py": "VALUE = 'in the image'\n"}


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder in which the library is installed."""
    package = tmp_path / "installed/brought"
    package.mkdir(parents=True)
    for name, content in FILES.items():
        (package / name).write_text(content)
    return package.parent


def run(installed: Path, *path: Path) -> list[str]:
    """The lines that a job prints, with these entries on its import path."""
    command = [sys.executable, "-c", JOB, str(installed), *map(str, path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def archive(folder: Path, **changed: str) -> Path:
    path = folder / "brought-1.0.zip"
    with zipfile.ZipFile(path, "w") as content:
        for name, text in (FILES | {f"{stem}.py": text for stem, text in changed.items()}).items():
            content.writestr(f"brought/{name}", text)
    return path


def test_a_job_that_brings_the_same_files_gets_the_loaded_modules(installed: Path, tmp_path: Path) -> None:
    assert run(installed, archive(tmp_path))[0] == "True 1"


def test_modules_that_were_not_loaded_come_from_the_jobs_own_file(installed: Path, tmp_path: Path) -> None:
    assert run(installed, archive(tmp_path, later="VALUE = 'brought'\n")) == ["True 1", "brought"]


def test_one_other_byte_and_the_job_imports_what_it_brought(installed: Path, tmp_path: Path) -> None:
    assert run(installed, archive(tmp_path, inner="VALUE = 2\n"))[0] == "False 2"


def test_a_job_that_brings_nothing_does_not_find_the_library(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "no archive").write_text("")
    assert run(installed, tmp_path, tmp_path / "no archive") == ["No module named 'brought'"]
