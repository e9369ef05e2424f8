"""The scripts are plain files that lie together in one folder, in the container as here."""

import csv
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
sys.path.insert(0, str(SCRIPTS))

Script = Callable[..., "subprocess.CompletedProcess[str]"]


def sha256(path: Path) -> str:
    """A file's digest as the scripts write it, made without the code under test."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.fixture(scope="session")
def sample() -> bytes:
    return (ROOT / "data" / "auto-mpg.csv").read_bytes()


@pytest.fixture(scope="session")
def sample_rows(sample: bytes) -> list[dict[str, str]]:
    """The rows as texts, read without the code under test."""
    return list(csv.DictReader(io.StringIO(sample.decode())))


@pytest.fixture(scope="session")
def run_script() -> Script:
    """Runs a script as a job does: its own process, an empty environment, in a folder that is not the project's."""

    def run(name: str, *arguments: object, cwd: Path) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(SCRIPTS / name), *map(str, arguments)]
        return subprocess.run(
            command, cwd=cwd, env={}, capture_output=True, text=True, check=False, timeout=120
        )

    return run


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, run_script: Script) -> Path:
    """What preprocess.py makes of the sample."""
    folder = tmp_path_factory.mktemp("preprocess")
    upload = ROOT / "data" / "auto-mpg.csv"
    arguments = ["--upload", upload, "--output", folder / "prepared", "--exit-message", folder / "message"]
    arguments += ["--output-uri", "s3://bucket/runs/x/prepared/", "--upload-digest", sha256(upload)]
    done = run_script("preprocess.py", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "prepared"


@pytest.fixture(scope="session")
def booster(prepared: Path) -> Any:
    """A booster trained as the pipeline trains it, on what preprocess.py wrote."""
    import numpy as np
    import xgboost

    train = np.loadtxt(prepared / "train" / "train.csv", delimiter=",")
    settings = {"objective": "reg:squarederror", "max_depth": 5, "eta": 0.2, "nthread": 1}
    return xgboost.train(settings, xgboost.DMatrix(train[:, 1:], train[:, 0]), 50)


@pytest.fixture(scope="session")
def trained(booster: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model.tar.gz of a training job."""
    folder = tmp_path_factory.mktemp("training")
    content = bytes(booster.save_raw("ubj"))
    with tarfile.open(folder / "model.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("xgboost-model")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return folder / "model.tar.gz"


@pytest.fixture
def bundle(tmp_path: Path, prepared: Path, trained: Path) -> Path:
    """A model bundle as it is unpacked in the container."""
    import xgboost

    from auto_mpg import inference
    from common.bundle import read_files

    (tmp_path / "preprocessor.json").write_bytes((prepared / "preprocessor.json").read_bytes())
    (tmp_path / "xgboost-model").write_bytes(read_files(trained, {"xgboost-model"})["xgboost-model"])
    (tmp_path / "xgboost-version").write_text(xgboost.__version__ + "\n")
    (tmp_path / "code").mkdir()
    for name in inference.CODE:
        (tmp_path / "code" / name).write_bytes((SCRIPTS / name).read_bytes())
    return tmp_path
