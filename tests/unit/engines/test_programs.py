"""Jobs whose program is a zip file or a folder with a `__main__`, as `python3 code.zip` runs them."""

import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.sagemaker.engines.processes import Command, Exit, WarmWorkers
from tests.unit.engines.conftest import Runner
from tests.unit.engines.test_containers import with_namespaces

pytestmark = pytest.mark.enable_socket

OK = Exit(0, "exited")
MAIN = """
import sys
from importlib.resources import files
import shelf.book
if __name__ == "__main__":
    print(sys.argv[1:], sys.path[0] == sys.argv[0] not in sys.path[1:], sys.modules["__main__"].__dict__ is globals())
    print(shelf.book.TITLE, [each.name for each in files("shelf").iterdir() if each.name == "index.txt"])
    shelf.book.lend(*sys.argv[1:])
"""
BOOK = """
TITLE = "Walden"
def lend(*to):
    if "nobody" in to:
        raise LookupError("no reader")
"""
FILES = {"__main__.py": MAIN, "shelf/__init__.py": "", "shelf/book.py": BOOK, "shelf/index.txt": "W"}
SAID = ["Walden ['index.txt']"]


def write_zip(path: Path, files: dict[str, str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def write_folder(path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path


@pytest.fixture(scope="module", params=[pytest.param(True, marks=with_namespaces), False])
def some_workers(request: pytest.FixtureRequest) -> Iterator[WarmWorkers]:
    """Those of a machine with namespaces and of one without."""
    workers = WarmWorkers(preload=(), namespaces=request.param)
    yield workers
    workers.close()


@pytest.mark.parametrize("write", [write_zip, write_folder])
def test_a_zip_file_or_folder_is_a_program_with_its_files_on_the_path(
    runner: Runner, tmp_path: Path, write: Callable[[Path, dict[str, str]], Path]
) -> None:
    program = str(write(tmp_path / "code", FILES))
    run = runner.spawn(Command(("python3", program, "a", "b"), {}, tmp_path))

    assert run.wait() == OK, run.lines
    assert run.lines == ["['a', 'b'] True True", *SAID]


def test_a_zip_file_below_opt_ml_runs_on_every_machine(some_workers: WarmWorkers, tmp_path: Path) -> None:
    write_zip(tmp_path / "job/ml/processing/input/code/code.zip", FILES)
    lines: list[str] = []
    argv = ("python3", "/opt/ml/processing/input/code/code.zip")
    command = Command(argv, {}, Path("/opt/ml"), folder=tmp_path / "job")

    assert some_workers.spawn(command, on_line=lines.append).wait() == OK
    assert lines[1:] == SAID


def test_the_traceback_names_the_files_in_the_zip_file_and_nothing_of_what_runs_it(
    runner: Runner, tmp_path: Path
) -> None:
    program = write_zip(tmp_path / "code.zip", FILES)
    run = runner.spawn(Command(("python3", str(program), "nobody"), {}, tmp_path))

    assert run.wait() == Exit(1, "exited")
    assert run.lines[-1] == "LookupError: no reader"
    assert [line for line in run.lines if line.startswith("  File") and "<frozen runpy>" not in line] == [
        f'  File "{program}/__main__.py", line 8, in <module>',
        f'  File "{program}/shelf/book.py", line 5, in lend',
    ]


def test_a_zip_file_without_a_program_is_reported_in_pythons_words(runner: Runner, tmp_path: Path) -> None:
    program = write_zip(tmp_path / "code.zip", {"main.py": MAIN})
    run = runner.spawn(Command(("python3", str(program)), {}, tmp_path))

    assert run.wait() == Exit(1, "exited")
    assert run.lines == [f"{sys.executable}: can't find '__main__' module in '{program}'"]


def test_modules_that_the_image_lacks_are_hidden_from_a_zip_file(runner: Runner, tmp_path: Path) -> None:
    program = write_zip(tmp_path / "code.zip", {"__main__.py": "import colorsys"})
    command = Command(("python3", str(program)), {}, tmp_path, frozenset({"colorsys"}))
    run = runner.spawn(command)

    assert run.wait() == Exit(1, "exited")
    assert run.lines[-1] == "ModuleNotFoundError: No module named 'colorsys'"
