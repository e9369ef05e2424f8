"""PyTorch's environment, for the tests that need it, where there is room.

`python -m tests.pytorch` makes it. `python -m tests.pytorch tests` calls the tests of what digits do with PyTorch
with the interpreter that their jobs have.
"""

import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from local.sagemaker.engines.environments import ENVIRONMENTS, EnvironmentMissing, make, refuse_full_disk

ROOT = Path(__file__).parents[1]
PYTORCH = ENVIRONMENTS["pytorch"]
TESTS = "tests/unit/processing/digits/pytorch"
NEED_IT = (
    TESTS,
    "tests/unit/engines/test_pytorch.py",
    "tests/e2e/test_digits.py",
)


def why_left_out() -> str:
    """Why nothing that needs PyTorch can run here; empty if it can."""
    if not PYTORCH.folder.exists():
        try:
            refuse_full_disk(PYTORCH)
        except EnvironmentMissing as missing:
            return str(missing)
    return ""


def left_out(conftest: str) -> list[str]:
    """What the folder of this conftest.py has to ignore."""
    folder = Path(conftest).parent
    paths = [ROOT / name for name in NEED_IT]
    return [path.name for path in paths if path.parent == folder] if why_left_out() else []


def install_pytest(folder: Path) -> None:
    """Put what its tests need besides into a folder for PyTorch's interpreter: the locked files."""
    names = [f"{name}=={version(name)}" for name in ("pytest", "hypothesis")]
    uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--no-config", "--quiet"]
    python, lock = str(PYTORCH.python.executable), str(ROOT / "requirements.lock")
    locked = ["--require-hashes", "--constraints", lock, *names]
    wheels = [
        "--require-hashes",
        "--no-deps",
        "--requirement",
        str(ROOT / "processing/wheels/requirements.txt"),
    ]
    for packages in (locked, wheels):
        subprocess.run([*uv, "--python", python, "--target", str(folder), *packages], check=True)


def test() -> int:
    """Call its own tests; returns their exit code."""
    with tempfile.TemporaryDirectory() as folder:
        install_pytest(Path(folder))
        command = [str(make(PYTORCH, print).executable), "-m", "pytest", "-q", TESTS]
        return subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": folder}).returncode


if __name__ == "__main__" and not why_left_out():
    if sys.argv[1:] == ["tests"]:
        sys.exit(test())
    make(PYTORCH, print)
