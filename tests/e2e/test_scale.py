"""A file of 200 MB goes through the whole pipeline on two instances of each job, though one loses its workers."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cars import write_cars
from local.cli.deploy import parameters, set_parameters
from local.embedded.access import pages
from tests.conftest import eventually
from tests.e2e.mpg import wait_for
from tests.e2e.up import Up

SIZE = 200_000_000
TWO = {"ProcessingInstanceCount": "2", "TrainingInstanceCount": "2", "TransformInstanceCount": "2"}
# Enough for a good model. A round on so many rows takes longer than a whole trial on the sample.
ROUNDS = "12"
LOGS = "/aws/sagemaker/ProcessingJobs"


@pytest.fixture(scope="module")
def two_instances(up: Up) -> Iterator[None]:
    wanted = {**TWO, "ProcessingNetworkIsolation": "false"}
    now = parameters(up.endpoint)
    set_parameters(up.endpoint, wanted)
    yield
    set_parameters(up.endpoint, {name: now[name] for name in wanted})


@pytest.fixture(scope="module")
def few_rounds(up: Up) -> Iterator[None]:
    """Trials of fewer rounds, in the settings that the deployment has published."""
    s3, bucket = up.client("s3"), up.outputs["BucketName"]
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="code/")["Contents"]
    # Other tests may have published code of their own.
    keys = [each["Key"] for each in listed if each["Key"].endswith("/auto_mpg/workload.json")]
    published = {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
    for key, body in published.items():
        settings = json.loads(body)
        settings["training"]["hyperparameters"]["num_round"] = ROUNDS
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(settings))
    yield
    for key, body in published.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)


@pytest.mark.usefixtures("two_instances", "few_rounds")
def test_a_large_file_is_worked_on_by_two_instances_even_if_one_loses_its_workers(
    up: Up, tmp_path: Path
) -> None:
    file, log = tmp_path / "cars.csv", tmp_path / "log"
    rows = write_cars(file, SIZE)
    process = up.place.start("run", str(file), "--json", log=log)
    wait_for(log, r"ok +Load workload", process)
    job = eventually(lambda: newest_job(up, "preprocess"))
    eventually(lambda: "workers on 2 hosts" in said(up, f"{job}/algo-1"))
    kill_workers(up, job, "algo-2")
    wait_for(log, r"(?m)^\{.*\}$", process)
    assert process.wait(60) == 0, log.read_text()
    result = json.loads(log.read_text().splitlines()[-1])
    assert result["outcome"] == "approved"
    assert "Restarting worker" in said(up, f"{job}/algo-2")
    counts = evaluated_rows(up, result["model_package_arn"])
    assert counts["uploaded"] == rows
    assert counts["train"] + counts["validation"] + counts["test"] == counts["labelled"]
    # The deviation of what cannot be learnt is 3, less where the values are cut off.
    assert 6 < result["mse"] < 9
    assert result["predictions"] == counts["batch"] == counts["unlabelled"] + counts["test"]


def newest_job(up: Up, step: str) -> str:
    # A page with older jobs only has none that is in progress.
    pages = up.client("sagemaker").get_paginator("list_processing_jobs")
    listed = pages.paginate(NameContains=f"-{step}-", StatusEquals="InProgress")
    return next(
        (str(job["ProcessingJobName"]) for page in listed for job in page["ProcessingJobSummaries"]), ""
    )


def said(up: Up, stream: str) -> str:
    """What a job's host has logged so far."""
    logs = up.client("logs")
    if not logs.describe_log_groups(logGroupNamePrefix=LOGS)["logGroups"]:
        return ""
    streams = logs.describe_log_streams(logGroupName=LOGS, logStreamNamePrefix=stream)["logStreams"]
    lines: list[dict[str, Any]] = []
    for each in streams:
        lines += logs.get_log_events(
            logGroupName=LOGS, logStreamName=each["logStreamName"], startFromHead=True
        )["events"]
    return "\n".join(line["message"] for line in lines)


def kill_workers(up: Up, job: str, host: str) -> None:
    """As when the kernel ends processes for want of memory."""
    url = f"http://127.0.0.1:{up.port}{pages(up.endpoint.secret)}kill"
    body = json.dumps({"job": job, "host": host, "children": True}).encode()
    urllib.request.urlopen(
        urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=30
    )


def evaluated_rows(up: Up, package_arn: str) -> dict[str, int]:
    """How many rows of each kind the evaluation of a model package counts."""
    package = up.client("sagemaker").describe_model_package(ModelPackageName=package_arn)
    key = f"models/{package['CustomerMetadataProperties']['run_id']}/evaluation.json"
    stored = up.client("s3").get_object(Bucket=up.outputs["BucketName"], Key=key)
    counts: dict[str, int] = json.load(stored["Body"])["rows"]
    return counts
