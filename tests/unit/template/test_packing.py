"""The packed code is the same whenever and wherever it is packed, and Python runs it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from packing import compiled, to_tar_gz, to_zip
from workload_files import BadWorkload

FILES = {"__main__.py": b"from a.b import c\nprint(c)\n", "a/__init__.py": b"", "a/b.py": b"c = 7\n"}
# Prints where a module came from, and what it says.
TOLD = b"import a.b\nprint(a.b.__file__[-3:], a.b.c)\n"


def run(folder: Path, files: dict[str, bytes]) -> str:
    """What Python prints that runs the packed files."""
    (folder / "code.zip").write_bytes(to_zip(files))
    done = subprocess.run(
        [sys.executable, "code.zip"], cwd=folder, env={}, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("pack", [to_zip, to_tar_gz])
def test_the_same_files_give_the_same_bytes_in_any_order_and_at_any_time(
    pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pack(FILES)
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    assert pack(dict(reversed(FILES.items()))) == before
    assert pack(FILES | {"a/b.py": b"c = 8\n"}) != before


def test_python_runs_the_zip_file(tmp_path: Path) -> None:
    assert run(tmp_path, FILES) == "7\n"


def test_python_runs_the_compiled_modules_as_long_as_their_source_is_the_same(tmp_path: Path) -> None:
    files = FILES | {"__main__.py": TOLD}
    modules = compiled(files)
    assert run(tmp_path, files | modules) == "pyc 7\n"
    assert run(tmp_path, files | {"a/b.py": b"c = 8\n"} | modules) == ".py 8\n"


def test_another_version_of_python_runs_the_source(tmp_path: Path) -> None:
    files = FILES | {"__main__.py": TOLD}
    others = {path: b"\0\0\r\n" + content[4:] for path, content in compiled(files).items()}
    assert run(tmp_path, files | others) == ".py 7\n"


def test_compiled_modules_have_the_same_bytes_whatever_else_is_in_memory() -> None:
    files = {"a.py": "found = text in {'\u00bf', 'a', 'z'}\n".encode()}
    before = compiled(files)
    # Python has one object for each such character, and the newest format of marshal tells interned ones apart.
    assert sys.intern(chr(0xBF)) == "\u00bf"
    assert compiled(files) == before


def test_a_module_that_cannot_be_compiled_is_refused() -> None:
    with pytest.raises(BadWorkload, match=r"a/b\.py, line 2: this is no Python: 'return' outside function"):
        compiled({"a/b.py": b"c = 7\nreturn c\n"})
