"""A workload that needs nothing but the standard library, in a folder that is no part of `processing`."""

import sys
from pathlib import Path

import pytest

from common.cluster import Local
from common.preprocessing import preprocess
from common.workload import Workload, find_workload
from tests.unit.processing.conftest import pack, sha256

WORKLOADS = Path(__file__).parent / "workloads"
URI = "s3://bucket/runs/x/prepared/"
sys.path.append(str(WORKLOADS))


@pytest.fixture(scope="session")
def guess() -> Workload:
    return find_workload("guess", WORKLOADS)


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    """Four numbers; the last one tests."""
    path = tmp_path / "numbers.txt"
    path.write_text("10\n20\n30\n16\n")
    return path


@pytest.fixture
def guess_prepared(guess: Workload, upload: Path, tmp_path: Path) -> Path:
    """What preprocessing makes of it."""
    preprocess(
        guess,
        upload,
        sha256(upload),
        tmp_path / "prepared",
        URI,
        "incoming/guess/numbers.txt",
        Local(workers=1),
    )
    return tmp_path / "prepared"


@pytest.fixture
def guess_trained(tmp_path: Path) -> Path:
    """A training job's model of it."""
    (tmp_path / "model.tar.gz").write_bytes(pack(("mean.txt", b"15.0")))
    return tmp_path / "model.tar.gz"
