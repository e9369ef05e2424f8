"""Jobs on several instances, with real processes that talk to each other."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from tests.conftest import eventually
from tests.integration.sagemaker.conftest import Bench

Json = dict[str, Any]

# The first host collects a word from the others, at the same port in every job.
TALK = b"""
import json, pathlib, socket, time

config = json.loads(pathlib.Path("/opt/ml/config/resourceconfig.json").read_text())
first, *others = config["hosts"]
me = config["current_host"]
files = sorted(path.name for path in pathlib.Path("/opt/ml/processing/input/data").rglob("*") if path.is_file())
said = []
if me == first:
    with socket.create_server((first, 8786)) as server:
        server.settimeout(20)
        for _ in others:
            connection, _ = server.accept()
            said.append(connection.makefile().read())
else:
    deadline = time.monotonic() + 20
    while True:
        try:
            with socket.create_connection((first, 8786)) as connection:
                connection.sendall(f"{me} of {len(files)}".encode())
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
pathlib.Path("/opt/ml/processing/output", me).write_text(json.dumps([files, said]))
"""
LAST = b"""
import json, pathlib, subprocess, time

me = json.loads(pathlib.Path("/opt/ml/config/resourceconfig.json").read_text())["current_host"]
print("ready", flush=True)
if me == "algo-2":
    time.sleep(600)
worker = subprocess.Popen(["sleep", "600"])
print("worker", flush=True)
assert worker.wait() == -9
pathlib.Path("/opt/ml/output/message").write_text("algo-1 went on")
"""


def job(bench: Bench, script: bytes, hosts: int = 2) -> Json:
    """A CreateProcessingJob request for a script on several hosts, with the two channels as its sharded data."""
    request = bench.processing("copy")
    name = request["ProcessingJobName"]
    bench.s3.put_object(Bucket=bench.bucket, Key=f"code-{name}/main.py", Body=script)
    code, data = (each["S3Input"] for each in request["ProcessingInputs"])
    code["S3Uri"] = f"s3://{bench.bucket}/code-{name}/"
    data |= {"S3Uri": f"s3://{bench.bucket}/data/", "S3DataDistributionType": "ShardedByS3Key"}
    request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = hosts
    request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = f"s3://{bench.bucket}/{name}/"
    return request


def kill(bench: Bench, name: str, host: str, *, children: bool = False) -> None:
    body = json.dumps({"job": name, "host": host, "children": children}).encode()
    url = f"{bench.aws.pages}kill"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=60).close()


def ended(bench: Bench, name: str) -> Json:
    return bench.ended("describe_processing_job", "ProcessingJobStatus", ProcessingJobName=name)


def lines(bench: Bench, group: str, prefix: str) -> list[str]:
    """What one host of a job has logged so far."""
    logs, where = bench.aws.client("logs"), f"/aws/sagemaker/{group}"
    if not logs.describe_log_groups(logGroupNamePrefix=where)["logGroups"]:
        return []
    streams = logs.describe_log_streams(logGroupName=where, logStreamNamePrefix=prefix)["logStreams"]
    names = [each["logStreamName"] for each in streams]
    pages = [logs.get_log_events(logGroupName=where, logStreamName=name)["events"] for name in names]
    return [event["message"] for page in pages for event in page]


def test_the_hosts_of_two_jobs_at_once_find_their_own_first_host_by_its_name(bench: Bench) -> None:
    requests = [job(bench, TALK), job(bench, TALK)]
    for request in requests:
        bench.sagemaker.create_processing_job(**request)
    for request in requests:
        name = request["ProcessingJobName"]
        described = ended(bench, name)
        assert described["ProcessingJobStatus"] == "Completed", described.get("FailureReason")
        first, second = (json.loads(bench.read(f"{name}/algo-{number}")) for number in (1, 2))
        assert (first, second) == ([["train.csv"], ["algo-2 of 1"]], [["validation.csv"], []])


def test_a_killed_host_fails_the_job_while_the_other_survives_the_loss_of_a_worker(bench: Bench) -> None:
    request = job(bench, LAST)
    name = request["ProcessingJobName"]
    bench.sagemaker.create_processing_job(**request)
    eventually(lambda: "ready" in lines(bench, "ProcessingJobs", f"{name}/algo-2-"))
    kill(bench, name, "algo-2")
    eventually(lambda: "worker" in lines(bench, "ProcessingJobs", f"{name}/algo-1-"))
    kill(bench, name, "algo-1", children=True)
    described = ended(bench, name)

    assert described["FailureReason"] == "AlgorithmError: ready, exit code: 137"
    assert described["ExitMessage"] == "algo-1 went on"


def test_every_trial_of_a_tuning_job_trains_on_the_rows_of_all_hosts(bench: Bench) -> None:
    request = bench.tuning()
    name, definition = request["HyperParameterTuningJobName"], request["TrainingJobDefinition"]
    for part in (1, 2):
        rows = b"".join(bench.read("data/train/train.csv").splitlines(keepends=True)[part - 1 :: 2])
        bench.s3.put_object(Bucket=bench.bucket, Key=f"parts/{part}.csv", Body=rows)
    train = definition["InputDataConfig"][0]["DataSource"]["S3DataSource"]
    train |= {"S3Uri": f"s3://{bench.bucket}/parts/", "S3DataDistributionType": "ShardedByS3Key"}
    definition["ResourceConfig"]["InstanceCount"] = 2
    definition["EnableNetworkIsolation"] = True
    bench.sagemaker.create_hyper_parameter_tuning_job(**request)
    described = bench.ended(
        "describe_hyper_parameter_tuning_job",
        "HyperParameterTuningJobStatus",
        HyperParameterTuningJobName=name,
    )

    assert described["TrainingJobStatusCounters"]["Completed"] == 4
    best = described["BestTrainingJob"]["TrainingJobName"]
    wanted = "Train matrix has 100 rows and 2 columns"
    for host in ("algo-1", "algo-2"):
        prefix = f"{best}/{host}-"
        eventually(lambda prefix=prefix: wanted in "".join(lines(bench, "TrainingJobs", prefix)))
