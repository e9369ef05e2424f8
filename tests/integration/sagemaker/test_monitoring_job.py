"""The monitoring job with its files in S3, named in a manifest as the state machine does it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

from common.monitored import parse
from tests.conftest import ROOT
from tests.integration.sagemaker.conftest import XGBOOST, Bench
from tests.integration.sagemaker.test_hosts import ended
from tests.integration.sagemaker.test_workload_on_hosts import packed
from tests.unit.processing.auto_mpg.test_monitoring_job import CARS, approve, lines
from tests.unit.processing.conftest import sha256
from tests.unit.processing.seen_files import event, write_captures, write_predictions

RUN = "mpg-20260302-1000-0123abcd"
ML = "/opt/ml/processing"


def put(bench: Bench, folder: Path) -> list[str]:
    """Store a folder's files under their paths in it."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for key, path in files.items():
        bench.s3.put_object(Bucket=bench.bucket, Key=key, Body=path.read_bytes())
    return sorted(files)


def code() -> bytes:
    """As it is published: with `run.py` as the program."""
    content = io.BytesIO(packed(CARS))
    with zipfile.ZipFile(content, "a") as archive:
        archive.write(ROOT / "processing" / "run.py", "__main__.py")
    return content.getvalue()


def request(bench: Bench, digest: str) -> dict[str, Any]:
    made = bench.processing("")
    options = [
        "--model",
        f"{ML}/input/model/model.tar.gz",
        "--model-digest",
        digest,
        "--model-arn",
        "arn:live",
    ]
    options += ["--seen", f"{ML}/input/seen", "--since", "2026-03-01T00:00:00Z"]
    options += ["--until", "2026-03-08T00:00:00Z", "--output", f"{ML}/output"]
    made["AppSpecification"] = {
        "ImageUri": XGBOOST,
        "ContainerEntrypoint": ["python3", f"{ML}/input/code/code.zip"],
        "ContainerArguments": ["monitor", "auto_mpg", *options, "--exit-message", "/opt/ml/output/message"],
    }
    inputs = {
        "code": ("monitoring/code.zip", "S3Prefix"),
        "model": ("models/watched/model.tar.gz", "S3Prefix"),
        "seen": ("monitoring/seen.manifest", "ManifestFile"),
    }
    made["ProcessingInputs"] = [
        {
            "InputName": name,
            "S3Input": {
                "S3Uri": f"s3://{bench.bucket}/{key}",
                "LocalPath": f"{ML}/input/{name}",
                "S3DataType": kind,
                "S3InputMode": "File",
            },
        }
        for name, (key, kind) in inputs.items()
    ]
    output = made["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]
    output["S3Uri"] = f"s3://{bench.bucket}/monitoring/found/"
    return made


def test_a_job_finds_the_files_of_its_manifest_and_leaves_what_it_found(bench: Bench, tmp_path: Path) -> None:
    with (ROOT / "data" / "auto-mpg.csv").open(newline="") as stream:
        sample_cars = list(csv.DictReader(stream))
    archive = approve(sample_cars, tmp_path / "model")
    asked = lines([{**car, "weight": str(float(car["weight"]) / 2)} for car in sample_cars])
    write_predictions(tmp_path / "seen", RUN, [f"{line},20.5" for line in asked])
    write_captures(tmp_path / "seen", "auto_mpg", [event(line, "20.5") for line in asked[:40]])
    keys = put(bench, tmp_path / "seen")
    # Beside a named file, of a run outside the window.
    bench.s3.put_object(Bucket=bench.bucket, Key=f"{keys[-1]}x.out", Body=b"")
    manifest = json.dumps([{"prefix": f"s3://{bench.bucket}/"}, *keys]).encode()
    bodies = {
        "monitoring/seen.manifest": manifest,
        "monitoring/code.zip": code(),
        "models/watched/model.tar.gz": archive.read_bytes(),
    }
    for key, body in bodies.items():
        bench.s3.put_object(Bucket=bench.bucket, Key=key, Body=body)
    made = request(bench, sha256(archive))
    bench.sagemaker.create_processing_job(**made)
    described = ended(bench, made["ProcessingJobName"])
    assert described["ProcessingJobStatus"] == "Completed", described.get("ExitMessage")
    findings = bench.read("monitoring/found/monitoring.json")
    assert described["ExitMessage"] == f"sha256:{hashlib.sha256(findings).hexdigest()}"
    found = parse(findings.decode())
    assert found.drift
    assert found.rows == {"batch": 398, "endpoint": 40, "labelled": 0}
    assert "weight" in found.drift.drifted_features
    for name in ("statistics.json", "constraint_violations.json"):
        assert json.loads(bench.read(f"monitoring/found/{name}"))
