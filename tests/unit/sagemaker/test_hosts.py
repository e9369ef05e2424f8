"""Jobs on several instances."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from local.sagemaker import SageMaker, ServiceError
from local.sagemaker.engines.processes import Command
from local.sagemaker.hosts import Addresses, as_they_end, make_hosts
from tests.conftest import eventually
from tests.unit.sagemaker.conftest import MakeSageMaker
from tests.unit.sagemaker.fakes import FakeAws, FakeWorkers, KilledError, Running
from tests.unit.sagemaker.requests import MODEL, PROCESSING, TRAINING, TRANSFORM, changed

NAMES = ["algo-1", "algo-2"]
INPUT = "ProcessingInputs.0.S3Input"
ON_TWO = changed(PROCESSING, "ProcessingResources.ClusterConfig.InstanceCount", 2)
TRAIN_ON_TWO = changed(TRAINING, "ResourceConfig.InstanceCount", 2)
TRANSFORM_ON_TWO = changed(TRANSFORM, "TransformResources.InstanceCount", 2)


@pytest.fixture(autouse=True)
def data(aws: FakeAws) -> None:
    for name in ("a", "b", "c"):
        aws.s3.put(f"s3://bucket/code/{name}.py", name.encode())
        aws.s3.put(f"s3://bucket/data/train/{name}.csv", b"1,2\n")
    aws.s3.put("s3://bucket/data/validation/validation.csv", b"1,2\n")


def config_of(running: Running) -> dict[str, Any]:
    folders = ("config", "input/config")
    (found,) = (path for each in folders if (path := running.root / each / "resourceconfig.json").exists())
    config: dict[str, Any] = json.loads(found.read_text())
    return config


def name_of(running: Running) -> str:
    return str(config_of(running)["current_host"])


def files(running: Running, folder: str) -> list[str]:
    return sorted(path.name for path in (running.root / folder).iterdir())


def process(sagemaker: SageMaker, request: dict[str, Any] = ON_TWO) -> dict[str, Any]:
    sagemaker.call("CreateProcessingJob", request)
    return sagemaker.wait("processing", "prepare", timeout=10)


def train(sagemaker: SageMaker, request: dict[str, Any] = TRAIN_ON_TWO) -> dict[str, Any]:
    sagemaker.call("CreateTrainingJob", request)
    return sagemaker.wait("training", "train-1", timeout=10)


def test_every_host_has_its_own_folder_and_knows_the_names_of_all(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    assert process(sagemaker)["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 2
    assert train(sagemaker)["ResourceConfig"]["InstanceCount"] == 2
    assert len({running.root for running in workers.processes}) == 4


def test_the_configuration_of_each_host_is_as_the_service_writes_it(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    seen: dict[str, Any] = {}

    def program(running: Running) -> int:
        assert running.command.folder is not None
        names = (running.command.folder / "hosts").read_text().splitlines()[:2]
        seen[name_of(running)] = config_of(running), [line.split() for line in names]
        return 0

    workers.program = program
    process(sagemaker)
    assert sorted(seen) == NAMES
    config, names = seen["algo-2"]
    assert config == {"current_host": "algo-2", "hosts": NAMES, "network_interface_name": "lo"}
    assert [name for _, name in names] == NAMES
    assert [address.rpartition(".")[2] for address, _ in names] == ["2", "3"]

    train(sagemaker)
    config, _ = seen["algo-2"]
    assert config["current_instance_type"] == "ml.m5.large"
    group = {"instance_group_name": "homogeneousCluster", "instance_type": "ml.m5.large", "hosts": NAMES}
    assert config["instance_groups"] == [group]


def test_two_jobs_have_other_addresses() -> None:
    addresses = Addresses()
    blocks = [addresses.next(16) for _ in range(300)]

    assert len({address for block in blocks for address in block}) == 300 * 16
    assert all(int(part) < 256 for block in blocks for address in block for part in address.split("."))


@pytest.mark.parametrize("kind", ["S3Prefix", "ManifestFile"])
@pytest.mark.parametrize(
    ("distribution", "expected"),
    [
        ("FullyReplicated", [["a.py", "b.py", "c.py"]] * 2),
        ("ShardedByS3Key", [["a.py", "c.py"], ["b.py"]]),
    ],
)
def test_the_objects_of_an_input_go_to_every_host_or_each_to_one(
    kind: str,
    distribution: str,
    expected: list[list[str]],
    sagemaker: SageMaker,
    aws: FakeAws,
    workers: FakeWorkers,
) -> None:
    seen: dict[str, list[str]] = {}

    def program(running: Running) -> int:
        seen[name_of(running)] = files(running, "processing/input/code")
        return 0

    workers.program = program
    request = changed(ON_TWO, f"{INPUT}.S3DataDistributionType", distribution)
    if kind == "ManifestFile":
        manifest = json.dumps([{"prefix": "s3://bucket/code/"}, "a.py", "b.py", "c.py"])
        aws.s3.put("s3://bucket/m", manifest.encode())
        request = changed(changed(request, f"{INPUT}.S3DataType", kind), f"{INPUT}.S3Uri", "s3://bucket/m")
    assert process(sagemaker, request)["ProcessingJobStatus"] == "Completed"
    assert [seen[name] for name in NAMES] == expected
    assert sorted(aws.s3.reads.count(f"code/{name}.py") for name in "abc") == [1, 1, 1]


def test_the_channels_of_a_training_are_sharded_or_replicated(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    seen: dict[str, list[list[str]]] = {}

    def program(running: Running) -> int:
        channels = ("train", "validation")
        seen[name_of(running)] = [files(running, f"input/data/{channel}") for channel in channels]
        return 0

    workers.program = program
    source = "InputDataConfig.0.DataSource.S3DataSource.S3DataDistributionType"
    train(sagemaker, changed(TRAIN_ON_TWO, source, "ShardedByS3Key"))
    assert seen["algo-1"] == [["a.csv", "c.csv"], ["validation.csv"]]
    assert seen["algo-2"] == [["b.csv"], ["validation.csv"]]


@pytest.mark.parametrize("mode", ["EndOfJob", "Continuous"])
def test_every_host_uploads_its_own_output(
    mode: str, sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        name = name_of(running)
        (running.root / "processing/output" / name).write_text(name)
        return 0

    workers.program = program
    process(sagemaker, changed(ON_TWO, "ProcessingOutputConfig.Outputs.0.S3Output.S3UploadMode", mode))
    assert [aws.s3.get(f"s3://bucket/prepared/{name}") for name in NAMES] == [b"algo-1", b"algo-2"]


def test_the_models_of_all_hosts_become_one_archive(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        name = name_of(running)
        (running.root / "model/shared").write_text(name)
        (running.root / "model" / name).write_text(name)
        return 0

    workers.program = program
    uri = train(sagemaker)["ModelArtifacts"]["S3ModelArtifacts"]
    with tarfile.open(fileobj=io.BytesIO(aws.s3.get(uri))) as archive:
        members = {each.name: archive.extractfile(each) for each in archive}
        content = {name: file.read() for name, file in members.items() if file}
    assert content == {"shared": b"algo-1", "algo-1": b"algo-1", "algo-2": b"algo-2"}
    assert ["/opt/ml/model/shared" in note for note in sagemaker.notes()] == [True]


def test_the_metrics_of_several_hosts_are_the_one_line_with_the_time_in_front(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        if name_of(running) == "algo-1":
            running.print("[04:12:55] [3]\ttrain-rmse:2.01413\tvalidation-rmse:3.17941")
        return 0

    workers.program = program
    metrics = {each["MetricName"]: each["Value"] for each in train(sagemaker)["FinalMetricDataList"]}
    assert metrics == {"train:rmse": 2.01413, "validation:rmse": 3.17941}


def test_every_host_has_its_own_log(sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers) -> None:
    workers.program = lambda running: running.print(f"I am {name_of(running)}")
    process(sagemaker)
    sagemaker.close()

    said = {stream.rpartition("-")[0]: lines for (_, stream), lines in aws.logs.lines.items()}
    assert said == {f"prepare/{name}": [f"I am {name}"] for name in NAMES}


def test_the_others_go_on_when_a_host_fails_and_its_message_and_code_are_the_jobs(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    failed, went_on = threading.Event(), threading.Event()

    def program(running: Running) -> int:
        name = name_of(running)
        (running.root / "output/message").write_text(f"{name} says so")
        if name == "algo-2":
            failed.set()
            return 7
        assert failed.wait(10)
        went_on.set()
        return 0

    workers.program = program
    described = process(sagemaker)
    assert went_on.is_set()
    assert described["FailureReason"] == "AlgorithmError: algo-2 says so, exit code: 7"
    assert (described["ProcessingJobStatus"], described["ExitMessage"]) == ("Failed", "algo-2 says so")


def test_hosts_end_in_the_order_in_which_their_programs_do(tmp_path: Path) -> None:
    hosts = make_hosts(tmp_path, ["127.0.0.2", "127.0.0.3"], lambda host, line, part: None)
    may_end = threading.Event()
    workers = FakeWorkers()
    workers.program = lambda running: may_end.wait(10) and None if "algo-1" in str(running.root) else 3
    for host in hosts:
        command = Command(("true",), {}, tmp_path, folder=host.container.folder)
        host.start(workers, command, lambda line: None, timeout=None, memory_bytes=None)  # type: ignore[arg-type]
    ends = as_they_end(hosts)
    first = next(ends)
    assert (first.host.name, first.failed, first.exit_code) == ("algo-2", True, 3)
    may_end.set()
    assert [(end.host.name, end.failed) for end in ends] == [("algo-1", False)]


def test_a_host_without_a_message_leaves_that_of_the_first(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        if name_of(running) == "algo-2":
            return 3
        (running.root / "output/message").write_text("all done")
        return 0

    workers.program = program
    described = process(sagemaker)
    assert (described["ProcessingJobStatus"], described["ExitMessage"]) == ("Failed", "all done")


def test_a_host_that_is_killed_fails_the_job_and_no_other_host(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        if name_of(running) == "algo-2":
            assert running.killed.get(timeout=10) == "job"
            raise KilledError
        assert running.killed.get(timeout=10) == "children"
        return 0

    workers.program = program
    sagemaker.call("CreateProcessingJob", ON_TWO)

    def kill(host: str, *, children: bool) -> bool:
        try:
            sagemaker.kill("prepare", host, children=children)
        except ServiceError:
            return False
        return True

    assert eventually(lambda: kill("algo-2", children=False))
    assert eventually(lambda: kill("algo-1", children=True))
    described = sagemaker.wait("processing", "prepare", timeout=10)
    assert described["FailureReason"] == "AlgorithmError: , exit code: 137"
    with pytest.raises(ServiceError, match="prepare has no program that runs on algo-1"):
        sagemaker.kill("prepare", "algo-1")


def test_the_memory_of_the_instance_type_is_that_of_each_host(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        if name_of(running) == "algo-2":
            raise MemoryError
        return 0

    workers.program = program
    assert "use an instance type with more memory" in process(sagemaker)["FailureReason"]
    assert {running.memory_bytes for running in workers.processes} == {8 << 30}


@pytest.mark.parametrize("isolated", [True, False])
def test_the_hosts_of_an_isolated_training_share_a_network_those_of_a_processing_job_have_none(
    isolated: bool, sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    process(sagemaker, ON_TWO | {"NetworkConfig": {"EnableNetworkIsolation": isolated}})
    own_program = changed(TRAIN_ON_TWO, "AlgorithmSpecification.ContainerEntrypoint", ["python3", "x.py"])
    train(sagemaker, own_program | {"EnableNetworkIsolation": isolated})
    commands = [running.command for running in workers.processes]
    assert [each.network for each in commands] == [not isolated, not isolated, True, True]
    assert [each.shares is not None for each in commands] == [False, False, isolated, isolated]
    assert ["AWS_ACCESS_KEY_ID" in each.env for each in commands] == [not isolated] * 4


def test_the_hosts_of_the_built_in_algorithm_never_listen_on_this_machines_network(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    train(sagemaker)
    assert [running.command.shares is not None for running in workers.processes] == [True, True]


def test_a_machine_without_namespaces_says_that_hosts_do_not_find_each_other(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    workers.namespaces = False
    assert process(sagemaker)["ProcessingJobStatus"] == "Completed"
    assert ["cannot reach each other" in note for note in sagemaker.notes()] == [True]


def test_stopping_a_job_ends_every_host(sagemaker: SageMaker, workers: FakeWorkers) -> None:
    begun = threading.Barrier(3)

    def program(running: Running) -> int:
        begun.wait(10)
        assert running.stopped.wait(10)
        return 0

    workers.program = program
    sagemaker.call("CreateProcessingJob", ON_TWO)
    begun.wait(10)
    sagemaker.call("StopProcessingJob", {"ProcessingJobName": "prepare"})
    assert sagemaker.wait("processing", "prepare", timeout=10)["ProcessingJobStatus"] == "Stopped"


def test_the_objects_of_a_transform_are_dealt_to_the_hosts_and_the_results_are_the_same(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        assert running.command.folder is not None
        assert (running.root / "model").exists()
        responses = running.command.folder / "responses"
        responses.mkdir()
        for request in (running.command.folder / "requests").iterdir():
            (responses / request.name).write_bytes(request.read_bytes().upper())
        return 0

    workers.program = program
    with io.BytesIO() as buffer:
        tarfile.open(fileobj=buffer, mode="w:gz").close()
        aws.s3.put("s3://bucket/models/model.tar.gz", buffer.getvalue())
    for name in ("x", "y", "z"):
        aws.s3.put(f"s3://bucket/batch/{name}.csv", f"{name}\n".encode())
    sagemaker.call("CreateModel", changed(MODEL, "PrimaryContainer.Environment", None))
    sagemaker.call("CreateTransformJob", changed(TRANSFORM_ON_TWO, "TransformResources.InstanceCount", 4))
    described = sagemaker.wait("transform", "predict", timeout=10)

    assert described["TransformJobStatus"] == "Completed"
    assert [aws.s3.get(f"s3://bucket/out/{name}.csv.out") for name in "xyz"] == [b"X\n", b"Y\n", b"Z\n"]
    # One host has nothing to do.
    assert len(workers.processes) == 3


def test_a_quota_counts_instances(make_sagemaker: MakeSageMaker) -> None:
    sagemaker = make_sagemaker(**{"ml.m5.large for processing job usage": 1})
    with pytest.raises(ServiceError, match="a request delta of 2 Instances"):
        sagemaker.call("CreateProcessingJob", ON_TWO)


def test_a_request_for_no_instance_is_refused(sagemaker: SageMaker) -> None:
    with pytest.raises(ServiceError, match="greater than or equal to 1"):
        sagemaker.call("CreateTrainingJob", changed(TRAINING, "ResourceConfig.InstanceCount", 0))
