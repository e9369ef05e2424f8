"""The jobs run as `python processing/run.py STEP WORKLOAD`, in the container as here."""

import csv
import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "processing"

# The beginning of a program that serves. XGBoost imports both if it can, which takes longer than all else in it; serving
# needs neither (auto_mpg/test_inference.py).
WITHOUT_PANDAS = "import sys; sys.modules.update(dict.fromkeys(('pandas', 'sklearn')))"

Script = Callable[..., "subprocess.CompletedProcess[str]"]


def sha256(path: Path) -> str:
    """A file's digest as the scripts write it, made without the code under test."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def pack(*files: tuple[str, bytes]) -> bytes:
    """A model.tar.gz of these files; the same at any time, since names of tests are made of it."""
    stream = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as tar,
    ):
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture(scope="session")
def sample() -> bytes:
    return (ROOT / "data" / "auto-mpg.csv").read_bytes()


@pytest.fixture(scope="session")
def sample_rows(sample: bytes) -> list[dict[str, str]]:
    """The rows as texts, read without the code under test."""
    return list(csv.DictReader(io.StringIO(sample.decode())))


@pytest.fixture(scope="session")
def run_script() -> Script:
    """Runs a step as a job does: its own process, an empty environment, in a folder that is not the project's."""

    def run(*arguments: object, cwd: Path) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(SCRIPTS / "run.py"), *map(str, arguments)]
        return subprocess.run(
            command, cwd=cwd, env={}, capture_output=True, text=True, check=False, timeout=120
        )

    return run


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, run_script: Script) -> Path:
    """What preprocessing makes of the sample."""
    folder = tmp_path_factory.mktemp("preprocess")
    upload = ROOT / "data" / "auto-mpg.csv"
    arguments = ["--upload", upload, "--output", folder / "prepared", "--exit-message", folder / "message"]
    arguments += ["--output-uri", "s3://bucket/runs/x/prepared/", "--upload-digest", sha256(upload)]
    done = run_script("preprocess", "auto_mpg", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "prepared"


@pytest.fixture(scope="session")
def booster(prepared: Path) -> Any:
    """A booster, trained on the prepared files as in the pipeline."""
    import xgboost

    from tests.channels import read_channel

    train = read_channel(prepared / "train")
    settings = {"objective": "reg:squarederror", "max_depth": 5, "eta": 0.2, "nthread": 1}
    return xgboost.train(settings, xgboost.DMatrix(train[:, 1:], train[:, 0]), 50)


@pytest.fixture(scope="session")
def trained(booster: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model.tar.gz of a training job."""
    archive = tmp_path_factory.mktemp("training") / "model.tar.gz"
    archive.write_bytes(pack(("xgboost-model", bytes(booster.save_raw("ubj")))))
    return archive


@pytest.fixture
def bundle(tmp_path: Path, prepared: Path, trained: Path) -> Path:
    """A model bundle as it is unpacked in the container."""
    from auto_mpg.evaluate import assemble
    from common.bundle import serving_code

    assemble(trained, prepared, tmp_path)
    for name, content in serving_code("auto_mpg").items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path
