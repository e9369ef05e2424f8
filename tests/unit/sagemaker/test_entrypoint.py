"""Training jobs that run a program of their own, with metrics, checkpoints and more output than a model."""

import io
import tarfile
import threading
from typing import Any

import pytest

from local.sagemaker import SageMaker, ServiceError
from tests.conftest import eventually
from tests.unit.sagemaker.fakes import SKLEARN, FakeAws, FakeWorkers, Running
from tests.unit.sagemaker.requests import PROCESSING, TRAINING, changed
from tests.unit.sagemaker.test_lifecycle import root_of, train

Json = dict[str, Any]
ALGORITHM = "AlgorithmSpecification"
OWN: Json = changed(
    changed(TRAINING, f"{ALGORITHM}.ContainerEntrypoint", ["python3", "train.py"]),
    f"{ALGORITHM}.ContainerArguments",
    ["--depth", "3"],
)
ON_SKLEARN = changed(OWN, f"{ALGORITHM}.TrainingImage", SKLEARN)
CHECKPOINTS = changed(OWN, "CheckpointConfig", {"S3Uri": "s3://bucket/checkpoints"})
OUTPUT = "s3://bucket/models/train-1/output"


@pytest.fixture(autouse=True)
def data(aws: FakeAws) -> None:
    aws.s3.put("s3://bucket/code/main.py", b"print()")
    aws.s3.put("s3://bucket/data/train/train.csv", b"1,2\n")
    aws.s3.put("s3://bucket/data/validation/validation.csv", b"1,2\n")


@pytest.mark.parametrize("request_", [OWN, ON_SKLEARN, changed(OWN, "HyperParameters", {"depth": "3"})])
def test_the_entrypoint_runs_in_place_of_the_algorithm(
    sagemaker: SageMaker, workers: FakeWorkers, request_: Json
) -> None:
    described = train(sagemaker, request_)

    (running,) = workers.processes
    assert running.args == ("python3", "train.py", "--depth", "3")
    assert described["TrainingJobStatus"] == "Completed"
    assert not [name for name in running.command.env if name.startswith("SM_")]


def test_an_entrypoint_that_fails_fails_the_job(sagemaker: SageMaker, workers: FakeWorkers) -> None:
    def program(running: Running) -> int:
        (root_of(running) / "output/failure").write_text("no such depth")
        return 3

    workers.program = program
    described = train(sagemaker, OWN)

    assert described["TrainingJobStatus"] == "Failed"
    assert described["FailureReason"] == "AlgorithmError: no such depth, exit code: 3"
    assert "ModelArtifacts" not in described


def test_what_a_program_leaves_besides_its_model_is_uploaded_too(
    sagemaker: SageMaker, workers: FakeWorkers, aws: FakeAws
) -> None:
    def program(running: Running) -> int:
        (root_of(running) / "model/model.bin").write_bytes(b"a model")
        (root_of(running) / "output/data/notes.txt").write_bytes(b"notes")
        return 0

    workers.program = program
    described = train(sagemaker, OWN)

    assert described["ModelArtifacts"] == {"S3ModelArtifacts": f"{OUTPUT}/model.tar.gz"}
    for name, content in (("model", "model.bin"), ("output", "notes.txt")):
        with tarfile.open(fileobj=io.BytesIO(aws.s3.get(f"{OUTPUT}/{name}.tar.gz"))) as archive:
            assert archive.getnames() == [content]
    uploads = [each["Status"] for each in described["SecondaryStatusTransitions"]].count("Uploading")
    assert uploads == 1


def test_metrics_are_read_by_the_expressions_of_the_request(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        for loss in ("0.9", "0.5", "none"):
            running.print(f"epoch done, loss={loss};")
        return 0

    workers.program = program
    definitions = [{"Name": "loss", "Regex": r"loss=(\S+);"}, {"Name": "never", "Regex": "epoch (.*),"}]
    described = train(sagemaker, changed(ON_SKLEARN, f"{ALGORITHM}.MetricDefinitions", definitions))

    found = {each["MetricName"]: each["Value"] for each in described["FinalMetricDataList"]}
    assert found == {"loss": 0.5}


def test_checkpoints_are_restored_and_kept(sagemaker: SageMaker, workers: FakeWorkers, aws: FakeAws) -> None:
    def program(running: Running) -> int:
        folder = root_of(running) / "checkpoints"
        assert (folder / "deep/epoch-1").read_bytes() == b"one"
        (folder / "epoch-2").write_bytes(b"two")
        return 1

    aws.s3.put("s3://bucket/checkpoints/deep/epoch-1", b"one")
    aws.s3.put("s3://bucket/checkpoints-of-others/epoch-9", b"nine")
    workers.program = program
    described = train(sagemaker, CHECKPOINTS)

    assert described["TrainingJobStatus"] == "Failed"
    assert described["CheckpointConfig"]["LocalPath"] == "/opt/ml/checkpoints"
    assert aws.s3.get("s3://bucket/checkpoints/epoch-2") == b"two"


def test_a_spot_instance_that_is_taken_away_leaves_its_checkpoints_to_the_next(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    begun = threading.Semaphore(0)

    def program(running: Running) -> int:
        checkpoint = root_of(running) / "checkpoints/epoch-1"
        if checkpoint.exists():
            return 0
        checkpoint.write_bytes(b"one")
        begun.release()
        assert running.stopped.wait(10)
        return 0

    workers.program = program
    limits = {"MaxRuntimeInSeconds": 7200, "MaxWaitTimeInSeconds": 7200}
    on_spot = changed(CHECKPOINTS, "EnableManagedSpotTraining", True) | {"StoppingCondition": limits}
    sagemaker.call("CreateTrainingJob", on_spot)
    assert begun.acquire(timeout=10)
    sagemaker.reclaim(TRAINING["TrainingJobName"])

    assert sagemaker.wait("training", "train-1", timeout=10)["TrainingJobStatus"] == "Completed"
    assert len(workers.processes) == 2


def test_checkpoints_and_continuous_outputs_are_uploaded_while_the_job_runs(
    sagemaker: SageMaker, workers: FakeWorkers, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.sagemaker.mirror.SECONDS", 0.01)
    done = threading.Event()

    def program(running: Running) -> int:
        folder = "checkpoints" if running.args[1] == "train.py" else "processing/output"
        (root_of(running) / folder / "part-1").write_bytes(b"one")
        assert done.wait(10)
        return 0

    workers.program = program
    mode = "ProcessingOutputConfig.Outputs.0.S3Output.S3UploadMode"
    sagemaker.call("CreateTrainingJob", CHECKPOINTS)
    sagemaker.call("CreateProcessingJob", changed(PROCESSING, mode, "Continuous"))
    eventually(lambda: {"checkpoints/part-1", "prepared/part-1"} <= set(aws.s3.keys))
    done.set()

    assert sagemaker.wait("training", "train-1", timeout=10)["TrainingJobStatus"] == "Completed"
    assert sagemaker.wait("processing", "prepare", timeout=10)["ProcessingJobStatus"] == "Completed"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            changed(TRAINING, f"{ALGORITHM}.ContainerArguments", ["--depth", "3"]),
            "ContainerArguments without ContainerEntrypoint is not supported",
        ),
        (
            changed(TRAINING, "CheckpointConfig", {"S3Uri": "s3://bucket/checkpoints"}),
            "CheckpointConfig of the built-in algorithm is not supported",
        ),
        (
            changed(CHECKPOINTS, "CheckpointConfig.LocalPath", "/opt/ml/../etc"),
            "CheckpointConfig.LocalPath /opt/ml/../etc is not supported",
        ),
        (
            changed(ON_SKLEARN, f"{ALGORITHM}.MetricDefinitions", [{"Name": "loss", "Regex": "loss=("}]),
            "Invalid metric definition loss: ",
        ),
        (
            changed(ON_SKLEARN, f"{ALGORITHM}.MetricDefinitions", [{"Name": "loss", "Regex": "loss"}]),
            "Invalid metric definition loss: its regular expression has no capturing group",
        ),
    ],
)
def test_what_would_have_no_effect_is_refused(sagemaker: SageMaker, request_: Json, message: str) -> None:
    with pytest.raises(ServiceError) as refused:
        sagemaker.call("CreateTrainingJob", request_)

    assert message in refused.value.message
