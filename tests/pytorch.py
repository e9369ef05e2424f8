"""PyTorch's environment, for the tests that need it, where there is room.

`python -m tests.pytorch` makes it. `python -m tests.pytorch tests` calls the tests of what digits do with PyTorch
with the interpreter that their jobs have.
"""

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from local.sagemaker.engines.environments import ENVIRONMENTS, EnvironmentMissing, make, refuse_full_disk

ROOT = Path(__file__).parents[1]
PYTORCH = ENVIRONMENTS["pytorch"]
# The least that a process can be worth.
LAST = "19"
SECONDS = 900
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
    """Call its own tests while other programs leave the machine idle; returns their exit code."""
    python = str(make(PYTORCH, print).executable)
    with tempfile.TemporaryDirectory() as folder:
        install_pytest(Path(folder))
        # It ends with this process.
        command = [python, "-m", "local.cli.child", "pytest", "-q", TESTS]
        environment = {**os.environ, "PYTHONPATH": folder}
        with subprocess.Popen(
            ["nice", "-n", LAST, *command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            start_new_session=True,
        ) as pytest:
            # Linux shares the machine among sessions, whatever the processes in them are worth.
            with suppress(OSError):
                Path(f"/proc/{pytest.pid}/autogroup").write_text(LAST)
            try:
                return pytest.wait(SECONDS)
            except subprocess.TimeoutExpired:
                print(f"{TESTS}: stopped after {SECONDS} s")
            except KeyboardInterrupt:
                pass
            pytest.terminate()
        return 1


if __name__ == "__main__" and not why_left_out():
    if sys.argv[1:] == ["tests"]:
        sys.exit(test())
    make(PYTORCH, print)
