"""The tests of what digits do with PyTorch, with the interpreter that their jobs have."""

import os
import subprocess
from pathlib import Path

import pytest

from local.sagemaker.engines.environments import make
from tests.pytorch import PYTORCH, ROOT, install_pytest

TESTS = ROOT / "tests" / "unit" / "processing" / "digits" / "pytorch"
SECONDS = 900


@pytest.mark.timeout(SECONDS)
def test_they_pass_in_pytorchs_environment(tmp_path: Path) -> None:
    python = make(PYTORCH, print).executable
    install_pytest(tmp_path)
    done = subprocess.run(
        [str(python), "-m", "pytest", "-q", str(TESTS)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
