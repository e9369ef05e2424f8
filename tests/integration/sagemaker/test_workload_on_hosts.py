"""A workload's processing jobs on two instances, of which each loses a worker on the way."""

from __future__ import annotations

import io
import json
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.channels import read_channel
from tests.conftest import ROOT, eventually
from tests.integration.sagemaker.conftest import XGBOOST, Bench
from tests.integration.sagemaker.test_hosts import ended, lines
from tests.unit.processing.conftest import pack, sha256

from auto_mpg import together  # isort: skip
from common.evaluating import main as evaluate  # isort: skip
from common.preprocessing import main as prepare  # isort: skip
from common.workload import Workload, find_workload  # isort: skip

Json = dict[str, Any]

SAMPLE = ROOT / "data" / "auto-mpg.csv"
ML = "/opt/ml/processing"
SMALL = {"BLOCK": 2048, "BLOCKS_OF_A_PART": 2}
# What each host of a job logs.
LOGGED = (
    ("algo-1", "workers on 2 hosts"),
    ("algo-1", "Restarting worker"),
    ("algo-2", "Restarting worker"),
)
# The sample becomes a file of many parts, and the first worker of each instance that gets one is killed.
MAIN = f"""
import os, pathlib, signal, sys
from functools import partial

sys.path.insert(0, "{ML}/input/code/code.zip")
import run
from auto_mpg import together
from common.dask_cluster import Dask

vars(together).update({SMALL})


def losing(function, item):
    try:
        pathlib.Path("/tmp/lost").touch(exist_ok=False)
    except FileExistsError:
        return function(item)
    os.kill(os.getpid(), signal.SIGKILL)


map_all = Dask.map
Dask.map = lambda cluster, function, *items, **near: map_all(cluster, partial(losing, function), *items, **near)
sys.exit(run.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def cars() -> Workload:
    """The workload without ONNX, which is in no image."""
    found = find_workload("auto_mpg")
    return Workload(found.name, {name: value for name, value in found.settings.items() if name != "onnx"})


def packed(workload: Workload) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in [*(ROOT / "processing").glob("*/*.py"), ROOT / "processing" / "run.py"]:
            archive.write(path, path.relative_to(ROOT / "processing").as_posix())
        archive.writestr("auto_mpg/workload.json", json.dumps(workload.settings))
    return content.getvalue()


class Jobs:
    """Runs the steps of the workload in a folder here, and on two instances with the same files in S3."""

    def __init__(self, bench: Bench, workload: Workload, folder: Path) -> None:
        self.bench, self.workload, self.folder = bench, workload, folder
        self.put("code/main.py", MAIN.encode())
        self.put("code/code.zip", packed(workload))

    def put(self, key: str, body: bytes) -> None:
        self.bench.s3.put_object(Bucket=self.bench.bucket, Key=f"hosts/{key}", Body=body)

    def here(self, step: Any, inputs: dict[str, Path], output: str, *options: str) -> None:
        paths = [part for name, path in inputs.items() for part in (f"--{name}", str(path))]
        ends = [
            "--output",
            str(self.folder / output),
            "--exit-message",
            str(self.folder / f"{output}.message"),
        ]
        assert step(self.workload, [*paths, *ends, *options]) == 0

    def there(self, step: str, inputs: dict[str, Path], output: str, *options: str) -> str:
        """The exit message."""
        request = self.bench.processing("")
        resources = {"InstanceCount": 2, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}
        request["ProcessingResources"]["ClusterConfig"] = resources
        paths = [
            f"--{name}={ML}/input/{name}" + (f"/{path.name}" if path.is_file() else "")
            for name, path in inputs.items()
        ]
        request["AppSpecification"] = {
            "ImageUri": XGBOOST,
            "ContainerEntrypoint": ["python3", f"{ML}/input/code/main.py"],
            "ContainerArguments": [
                step,
                "auto_mpg",
                *paths,
                f"--output={ML}/output",
                "--exit-message=/opt/ml/output/message",
                *options,
            ],
        }
        template = request["ProcessingInputs"][0]["S3Input"]
        request["ProcessingInputs"] = [
            {
                "InputName": name,
                "S3Input": template | {"S3Uri": self.uri(name), "LocalPath": f"{ML}/input/{name}"},
            }
            for name in ("code", *inputs)
        ]
        request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = self.uri(output)
        self.bench.sagemaker.create_processing_job(**request)
        described = ended(self.bench, request["ProcessingJobName"])
        assert described["ProcessingJobStatus"] == "Completed", described
        # As on AWS, lines may arrive after the job ended.
        for host, line in LOGGED:
            prefix = f"{request['ProcessingJobName']}/{host}-"
            eventually(partial(self.has_logged, prefix, line))
        return str(described["ExitMessage"])

    def has_logged(self, prefix: str, text: str) -> bool:
        return text in "".join(lines(self.bench, "ProcessingJobs", prefix))

    def uri(self, name: str) -> str:
        return f"s3://{self.bench.bucket}/hosts/{name}/"

    def read(self, key: str) -> bytes:
        return self.bench.read(f"hosts/{key}")


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def trained(prepared: Path) -> bytes:
    """The model.tar.gz of a small model."""
    import xgboost  # Here, because every worker collects every file, and this takes two seconds.

    train = read_channel(prepared / "train")
    settings = {"objective": "reg:squarederror", "max_depth": 3, "nthread": 1}
    booster = xgboost.train(settings, xgboost.DMatrix(train[:, 1:], train[:, 0], nthread=1), 5)
    return pack(("xgboost-model", bytes(booster.save_raw("ubj"))))


def test_the_jobs_of_a_workload_on_two_instances_survive_the_loss_of_a_worker(
    bench: Bench, cars: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SMALL.items():
        monkeypatch.setattr(together, name, value)
    jobs = Jobs(bench, cars, tmp_path)
    jobs.put("upload/auto-mpg.csv", SAMPLE.read_bytes())
    options = ["--upload-digest", sha256(SAMPLE), "--output-uri", jobs.uri("prepared")]
    jobs.here(prepare, {"upload": SAMPLE}, "prepared", *options)
    message = jobs.there("preprocess", {"upload": SAMPLE}, "prepared", *options)
    prepared = tmp_path / "prepared"
    assert message == sha256(prepared / "summary.json")
    assert "train/train-00001.parquet" in files(prepared)
    for name in files(prepared):
        assert jobs.read(f"prepared/{name}") == (prepared / name).read_bytes(), name

    model = tmp_path / "model.tar.gz"
    model.write_bytes(trained(prepared))
    jobs.put("model/model.tar.gz", model.read_bytes())
    inputs, options = {"model": model, "prepared": prepared}, ["--prepared-digest", message]
    jobs.here(evaluate, inputs, "evaluation", *options)
    assert jobs.there("evaluate", inputs, "evaluation", *options) == sha256(
        tmp_path / "evaluation/evaluation.json"
    )
    assert jobs.read("evaluation/evaluation.json") == (tmp_path / "evaluation/evaluation.json").read_bytes()
