"""The packed code is the same whenever and wherever it is packed, and Python runs it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from packing import to_tar_gz, to_zip

FILES = {"__main__.py": b"from a.b import c\nprint(c)\n", "a/__init__.py": b"", "a/b.py": b"c = 7\n"}


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
    (tmp_path / "code.zip").write_bytes(to_zip(FILES))
    done = subprocess.run(
        [sys.executable, "code.zip"], cwd=tmp_path, env={}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "7\n"
