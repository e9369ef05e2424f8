"""Script mode: what SageMaker's library sends for a training script, and what becomes of it."""

import json
from typing import Any

import pytest

from local.sagemaker import SageMaker
from local.sagemaker.engines.environments import EnvironmentMissing
from local.sagemaker.engines.processes import Python
from tests.unit.sagemaker.fakes import (
    PYTORCH_INFERENCE,
    PYTORCH_TRAINING,
    SKLEARN,
    FakeAws,
    FakeWorkers,
    Running,
)
from tests.unit.sagemaker.requests import MODEL, TRAINING, TRANSFORM, TUNING, changed
from tests.unit.sagemaker.test_lifecycle import root_of, train
from tests.unit.sagemaker.test_transform import model_archive
from tests.unit.sagemaker.test_tuning import FakeSearch

Json = dict[str, Any]
ALGORITHM = "AlgorithmSpecification"
DEFINITION = "TrainingJobDefinition"
SOURCE = "s3://bucket/train-1/source/sourcedir.tar.gz"
# Each value is JSON, as version 2 of the library writes it.
HYPERPARAMETERS = {
    "lr": "0.5",
    "sagemaker_submit_directory": json.dumps(SOURCE),
    "sagemaker_program": '"train.py"',
    "sagemaker_container_log_level": "20",
    "sagemaker_job_name": '"train-1"',
    "sagemaker_region": '"us-east-1"',
}
ESTIMATOR: Json = changed(TRAINING, f"{ALGORITHM}.TrainingImage", SKLEARN) | {
    "HyperParameters": HYPERPARAMETERS,
    "DebugHookConfig": {"S3OutputPath": "s3://bucket/models/", "CollectionConfigurations": []},
    "ProfilerConfig": {"DisableProfiler": True},
}
LOSS = [{"Name": "loss", "Regex": "loss=(.*?);"}]


@pytest.fixture(autouse=True)
def data(aws: FakeAws) -> None:
    aws.s3.put(SOURCE, b"an archive")
    for name in ("train", "validation"):
        aws.s3.put(f"s3://bucket/data/{name}/{name}.csv", b"1,2\n")


@pytest.fixture
def pytorch(monkeypatch: pytest.MonkeyPatch, sagemaker: SageMaker) -> Python:
    """PyTorch's interpreter, which is said to be made and is not."""
    python = Python(sagemaker._backend.folder / "bin/python", ("torch",))

    def make(environment: Any, say: Any, check: Any) -> Python:
        say(f"Installing {environment.title}, once")
        return python

    monkeypatch.setattr("local.sagemaker.jobs.make", make)
    return python


def test_the_toolkit_of_the_image_runs_the_script_with_the_archive_that_it_names(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        *_, root, archive, network = running.args
        assert (root, network) == ("/opt/ml", "connected")
        assert open(archive, "rb").read() == b"an archive"  # noqa: SIM115, PTH123
        parameters = json.loads((root_of(running) / "input/config/hyperparameters.json").read_text())
        assert parameters == HYPERPARAMETERS
        return 0

    workers.program = program
    described = train(sagemaker, ESTIMATOR)

    (running,) = workers.processes
    assert running.args[:3] == ("-m", "local.sagemaker.engines.toolkit", "sagemaker_training")
    assert described["TrainingJobStatus"] == "Completed", described


def test_the_xgboost_image_trains_by_itself_unless_a_script_is_named(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    train(sagemaker, TRAINING)
    named = changed(TRAINING, "TrainingJobName", "train-2") | {
        "Environment": {"SAGEMAKER_PROGRAM": "train.py"}
    }
    sagemaker.call("CreateTrainingJob", named)
    sagemaker.wait("training", "train-2", timeout=10)

    modules = [running.args[1] for running in workers.processes]
    assert modules == ["local.sagemaker.engines.xgboost_algorithm", "local.sagemaker.engines.toolkit"]
    # Only a script may install packages.
    assert [running.command.frugal for running in workers.processes] == [True, False]


def test_under_isolation_nothing_is_read_for_the_script(
    sagemaker: SageMaker, workers: FakeWorkers, aws: FakeAws
) -> None:
    train(sagemaker, changed(ESTIMATOR, "EnableNetworkIsolation", True))

    assert workers.processes[0].args[-2:] == ("", "isolated")
    assert not [key for key in aws.s3.reads if key.endswith("sourcedir.tar.gz")]


def test_an_archive_that_is_not_there_fails_the_job(sagemaker: SageMaker, aws: FakeAws) -> None:
    del aws.s3.objects["bucket", SOURCE.removeprefix("s3://bucket/")]
    described = train(sagemaker, ESTIMATOR)

    assert described["TrainingJobStatus"] == "Failed"
    assert "sourcedir.tar.gz" in described["FailureReason"]


def test_a_pytorch_job_runs_in_its_own_interpreter_and_a_note_says_what_that_took(
    sagemaker: SageMaker, workers: FakeWorkers, aws: FakeAws, pytorch: Python
) -> None:
    described = train(sagemaker, changed(ESTIMATOR, f"{ALGORITHM}.TrainingImage", PYTORCH_TRAINING))
    sagemaker.close()

    assert described["TrainingJobStatus"] == "Completed", described
    assert workers.processes[0].command.python == pytorch
    assert sagemaker.notes() == ["Installing PyTorch, once"]
    assert ["Installing PyTorch, once"] in aws.logs.lines.values()


def test_libraries_that_cannot_be_installed_fail_the_job_with_the_way_out(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(*_: Any) -> Python:
        raise EnvironmentMissing("PyTorch is not installed; connect.", "no route")

    monkeypatch.setattr("local.sagemaker.jobs.make", make)
    described = train(sagemaker, changed(ESTIMATOR, f"{ALGORITHM}.TrainingImage", PYTORCH_TRAINING))
    sagemaker.close()

    assert described["FailureReason"] == "ClientError: PyTorch is not installed; connect."
    assert workers.processes == []
    assert ["no route", described["FailureReason"]] in aws.logs.lines.values()


def test_an_older_image_runs_with_a_warning_in_the_jobs_log_and_a_note(
    sagemaker: SageMaker, aws: FakeAws
) -> None:
    train(sagemaker, changed(ESTIMATOR, f"{ALGORITHM}.TrainingImage", SKLEARN.replace("1.9-0", "1.2-1")))
    sagemaker.close()

    (note,) = sagemaker.notes()
    assert "sagemaker-scikit-learn:1.9-0 runs in its place" in note
    assert [note] in aws.logs.lines.values()


def test_trials_run_scripts_measured_by_the_requests_own_metric_and_keep_checkpoints_apart(
    sagemaker: SageMaker, workers: FakeWorkers, aws: FakeAws, pytorch: Python, monkeypatch: pytest.MonkeyPatch
) -> None:
    def program(running: Running) -> int:
        checkpoints = root_of(running) / "checkpoints"
        assert list(checkpoints.iterdir()) == []
        (checkpoints / "epoch-1").write_bytes(b"one")
        running.print("loss=0.25;")
        (root_of(running) / "model/model.pt").write_bytes(b"model")
        return 0

    monkeypatch.setattr("local.sagemaker.search.Suggester", lambda *_, **__: FakeSearch())
    workers.program = program
    objective = {"Type": "Minimize", "MetricName": "loss"}
    request = changed(TUNING, "HyperParameterTuningJobConfig.HyperParameterTuningJobObjective", objective)
    definition = changed(request, f"{DEFINITION}.ResourceConfig", None)[DEFINITION] | {
        "StaticHyperParameters": HYPERPARAMETERS,
        "AlgorithmSpecification": {
            "TrainingImage": PYTORCH_TRAINING,
            "TrainingInputMode": "File",
            "MetricDefinitions": LOSS,
        },
        "CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints"},
        # As version 2 of the library names it.
        "HyperParameterTuningResourceConfig": {
            "InstanceType": "ml.m5.large",
            "InstanceCount": 1,
            "VolumeSizeInGB": 30,
        },
    }
    sagemaker.call("CreateHyperParameterTuningJob", request | {DEFINITION: definition})
    described = sagemaker.wait("tuning", "tune", timeout=20)

    assert described["HyperParameterTuningJobStatus"] == "Completed"
    best = described["BestTrainingJob"]
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 0.25
    kept = [key for key in aws.s3.keys if key.startswith("checkpoints/")]
    assert len(kept) == 4
    assert f"checkpoints/{best['TrainingJobName']}/epoch-1" in kept


def test_json_lines_are_joined_with_what_the_pytorch_server_answers(
    sagemaker: SageMaker, workers: FakeWorkers, aws: FakeAws, pytorch: Python
) -> None:
    def program(running: Running) -> int:
        assert running.args[2:4] == ("torchserve", "/opt/ml")
        for request in (running.command.folder / "requests").iterdir():  # type: ignore[operator]
            folder = running.command.folder / "responses"  # type: ignore[operator]
            folder.mkdir(exist_ok=True)
            answers = [
                json.dumps({"label": json.loads(line)["n"] * 2}) for line in request.read_text().split()
            ]
            (folder / request.name).write_text("\n".join(answers))
        return 0

    workers.program = program
    aws.s3.put("s3://bucket/batch/a.jsonl", b'{"n":1}\n{"n":2}\n')
    aws.s3.put("s3://bucket/models/model.tar.gz", model_archive())
    sagemaker.call("CreateModel", changed(MODEL, "PrimaryContainer.Image", PYTORCH_INFERENCE))
    kind = "application/jsonlines"
    request = changed(changed(TRANSFORM, "TransformInput.ContentType", kind), "TransformOutput.Accept", kind)
    sagemaker.call("CreateTransformJob", request | {"DataProcessing": {"JoinSource": "Input"}})
    described = sagemaker.wait("transform", "predict", timeout=10)

    assert described["TransformJobStatus"] == "Completed", described
    assert aws.s3.get("s3://bucket/out/a.jsonl.out") == (
        b'{"n":1,"SageMakerOutput":{"label":2}}\n{"n":2,"SageMakerOutput":{"label":4}}\n'
    )


def test_a_served_script_in_s3_is_brought_to_its_server(
    sagemaker: SageMaker, workers: FakeWorkers, aws: FakeAws
) -> None:
    def program(running: Running) -> int:
        seen.append(open(running.command.env["SAGEMAKER_SUBMIT_DIRECTORY"], "rb").read())  # noqa: SIM115, PTH123
        return 1

    seen: list[bytes] = []
    workers.program = program
    aws.s3.put("s3://bucket/batch/a.csv", b"1\n")
    aws.s3.put("s3://bucket/models/model.tar.gz", model_archive())
    directory = "PrimaryContainer.Environment.SAGEMAKER_SUBMIT_DIRECTORY"
    sagemaker.call("CreateModel", changed(MODEL, directory, SOURCE))
    sagemaker.call("CreateTransformJob", TRANSFORM)
    sagemaker.wait("transform", "predict", timeout=10)

    assert seen == [b"an archive"]
