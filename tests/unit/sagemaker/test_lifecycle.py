"""Jobs from Create to their end, with functions as programs."""

import itertools
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from local.sagemaker import SageMaker, ServiceError
from tests.unit.sagemaker.conftest import MakeSageMaker
from tests.unit.sagemaker.fakes import ROLE, FakeAws, FakeWorkers, Running
from tests.unit.sagemaker.requests import MODEL, PROCESSING, TRAINING, TRANSFORM, TUNING, changed

Json = dict[str, Any]
ARN = "arn:aws:sagemaker:us-east-1:000000000000"


@pytest.fixture(autouse=True)
def data(aws: FakeAws) -> None:
    aws.s3.put("s3://bucket/code/main.py", b"print()")
    aws.s3.put("s3://bucket/data/train/train.csv", b"1,2\n")
    aws.s3.put("s3://bucket/data/validation/validation.csv", b"1,2\n")


def root_of(running: Running) -> Path:
    return running.root


def process(sagemaker: SageMaker, request: Json = PROCESSING) -> Json:
    sagemaker.call("CreateProcessingJob", request)
    return sagemaker.wait("processing", request["ProcessingJobName"], timeout=10)


def train(sagemaker: SageMaker, request: Json = TRAINING) -> Json:
    sagemaker.call("CreateTrainingJob", request)
    return sagemaker.wait("training", request["TrainingJobName"], timeout=10)


def statuses(aws: FakeAws, kind: str, field: str) -> list[str]:
    entries = [
        entry for entry in aws.events.entries if entry["DetailType"] == f"SageMaker {kind} State Change"
    ]
    return [json.loads(entry["Detail"])[field] for entry in entries]


def waiting(started: threading.Event) -> Any:
    def program(running: Running) -> int:
        started.set()
        assert running.stopped.wait(10)
        return 0

    return program


def test_a_processing_job_reads_its_inputs_runs_and_writes_its_outputs(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        root = root_of(running)
        assert (root / "processing/input/code/main.py").read_bytes() == b"print()"
        (root / "processing/output/deep").mkdir()
        (root / "processing/output/deep/a.csv").write_text("a")
        return 0

    workers.program = program
    described = process(sagemaker)

    assert described["ProcessingJobStatus"] == "Completed"
    assert described["ProcessingStartTime"] <= described["ProcessingEndTime"]
    assert "FailureReason" not in described
    assert aws.s3.get("s3://bucket/prepared/deep/a.csv") == b"a"


def test_a_processing_job_gets_its_arguments_variables_and_limits(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    process(sagemaker)

    (running,) = workers.processes
    assert running.args == (
        "python3",
        "/opt/ml/processing/input/code/main.py",
        "--out=/opt/ml/processing/output",
        "plain",
    )
    environment = running.command.env
    assert (environment["WHERE"], environment["NAME"]) == ("/opt/ml/processing/input", "x")
    assert (environment["AWS_ACCESS_KEY_ID"], environment["HOME"]) == (ROLE, "/root")
    assert running.command.network
    assert (running.timeout, running.memory_bytes) == (300, 8 << 30)
    assert "xgboost" in running.command.hidden_modules


def test_an_isolated_job_has_neither_a_network_nor_credentials(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    process(sagemaker, changed(PROCESSING, "NetworkConfig", {"EnableNetworkIsolation": True}))
    train(sagemaker, changed(TRAINING, "EnableNetworkIsolation", True))

    assert len(workers.processes) == 2
    for running in workers.processes:
        assert not running.command.network
        assert "AWS_ACCESS_KEY_ID" not in running.command.env


def test_describe_shows_the_request_and_its_defaults(sagemaker: SageMaker) -> None:
    described = process(sagemaker, changed(PROCESSING, "StoppingCondition", None))

    assert described["ProcessingJobArn"] == f"{ARN}:processing-job/prepare"
    assert described["AppSpecification"] == PROCESSING["AppSpecification"]
    assert described["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}
    assert described["ProcessingInputs"][0]["S3Input"]["S3DataDistributionType"] == "FullyReplicated"


def test_a_failed_processing_job_has_its_programs_exit_message(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        root = root_of(running)
        (root / "output/message").write_text(f"bad line in {root}/processing/input")
        (root / "processing/output/half.csv").write_text("a")
        return 1

    workers.program = program
    described = process(sagemaker)

    assert described["ProcessingJobStatus"] == "Failed"
    assert described["FailureReason"] == "AlgorithmError: bad line in /opt/ml/processing/input, exit code: 1"
    assert described["ExitMessage"] == "bad line in /opt/ml/processing/input"
    # No documented event has it, so Step Functions does not get it either.
    event = sagemaker.wait_for_event("processing", described["ProcessingJobName"])
    assert (event["ProcessingJobStatus"], event["FailureReason"]) == ("Failed", described["FailureReason"])
    assert "ExitMessage" not in event
    assert "prepared/half.csv" not in aws.s3.keys


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "AlgorithmError: , exit code: 1"),
        (["reading", "KeyError: 'mpg'"], "AlgorithmError: reading\nKeyError: 'mpg', exit code: 1"),
        (["first", *["x" * 300] * 9, "the last"], f"xxx\n{'x' * 300}\n{'x' * 300}\nthe last, exit code: 1"),
    ],
)
def test_a_failed_processing_job_without_an_exit_message_has_the_last_lines_of_its_log(
    sagemaker: SageMaker, workers: FakeWorkers, lines: list[str], reason: str
) -> None:
    def program(running: Running) -> int:
        for line in lines:
            running.print(line)
        return 1

    workers.program = program
    described = process(sagemaker)

    assert described["FailureReason"].endswith(reason)
    assert described["FailureReason"].startswith("AlgorithmError: ")
    assert len(described["FailureReason"]) <= 1024
    assert "ExitMessage" not in described


def test_continuous_outputs_survive_a_failure(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        (root_of(running) / "processing/output/half.csv").write_text("a")
        return 1

    workers.program = program
    described = process(
        sagemaker, changed(PROCESSING, "ProcessingOutputConfig.Outputs.0.S3Output.S3UploadMode", "Continuous")
    )

    assert described["FailureReason"] == "AlgorithmError: , exit code: 1"
    assert aws.s3.get("s3://bucket/prepared/half.csv") == b"a"


def test_a_job_whose_input_is_missing_fails_before_it_runs(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    described = process(
        sagemaker, changed(PROCESSING, "ProcessingInputs.0.S3Input.S3Uri", "s3://bucket/none/")
    )

    assert described["FailureReason"].startswith(
        'ClientError: No S3 objects found under S3 URL "s3://bucket/none/"'
    )
    assert workers.processes == []


def test_a_job_that_uses_too_much_memory_fails(sagemaker: SageMaker, workers: FakeWorkers) -> None:
    def program(running: Running) -> int:
        raise MemoryError

    workers.program = program

    assert process(sagemaker)["FailureReason"].startswith(
        "ClientError: Please use an instance type with more memory"
    )


def test_a_processing_job_that_exceeds_its_time_limit_is_stopped(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        raise TimeoutError

    workers.program = program

    assert process(sagemaker)["ProcessingJobStatus"] == "Stopped"


def test_a_bug_in_the_server_ends_the_job_and_is_reported(
    sagemaker: SageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.sagemaker.processing.find_image", lambda *_: 1 / 0)

    assert process(sagemaker)["FailureReason"] == "InternalServerError: ZeroDivisionError: division by zero"


def test_a_bug_at_the_very_end_ends_the_job_too(
    sagemaker: SageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.sagemaker.container.Container.message", lambda *_: 1 / 0)

    assert process(sagemaker)["FailureReason"] == "InternalServerError: ZeroDivisionError: division by zero"


def test_a_job_leaves_no_files_behind(sagemaker: SageMaker, tmp_path: Path) -> None:
    process(sagemaker)
    train(sagemaker)
    sagemaker.close()

    assert list((tmp_path / "jobs").iterdir()) == []


def test_the_output_of_a_job_is_in_the_log_stream_of_its_name(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        running.print("first")
        running.print(f"reading {root_of(running)}/processing/input")
        return 0

    workers.program = program
    process(sagemaker)
    sagemaker.close()

    ((group, stream), lines), *others = aws.logs.lines.items()
    assert (group, lines) == ("/aws/sagemaker/ProcessingJobs", ["first", "reading /opt/ml/processing/input"])
    assert stream.startswith("prepare/algo-1-")
    assert others == []


def test_logs_and_events_that_cannot_be_sent_fail_no_job(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws.logs, "put_log_events", None)
    monkeypatch.setattr(aws.events, "publish", None)
    workers.program = lambda running: running.print("first")

    assert process(sagemaker)["ProcessingJobStatus"] == "Completed"


@pytest.mark.parametrize("key", [None, "arn:aws:kms:us-east-1:000000000000:key/1234abcd"])
def test_outputs_are_written_under_the_key_that_the_request_names(
    key: str | None, sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        model = root_of(running) / "model"
        folder = model if model.exists() else root_of(running) / "processing/output"
        (folder / "xgboost-model").write_bytes(b"trees")
        return 0

    workers.program = program
    named = {} if key is None else {"KmsKeyId": key}
    process(sagemaker, PROCESSING | {"ProcessingOutputConfig": PROCESSING["ProcessingOutputConfig"] | named})
    train(sagemaker, TRAINING | {"OutputDataConfig": TRAINING["OutputDataConfig"] | named})
    assert aws.s3.under == {"prepared/xgboost-model": key, "models/train-1/output/model.tar.gz": key}


def test_a_training_job_runs_the_algorithm_on_its_channels(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        root = root_of(running)
        config = {path.name: json.loads(path.read_text()) for path in (root / "input/config").iterdir()}
        assert config["hyperparameters.json"] == TRAINING["HyperParameters"]
        assert config["inputdataconfig.json"]["train"]["ContentType"] == "text/csv"
        assert config["resourceconfig.json"]["hosts"] == ["algo-1"]
        assert (root / "input/data/validation/validation.csv").read_bytes() == b"1,2\n"
        (root / "model/xgboost-model").write_bytes(b"trees")
        running.print("[0]\ttrain-rmse:6.57107\tvalidation-rmse:6.38383")
        running.print("[1]\ttrain-rmse:1e-05\tvalidation-rmse:2.5")
        return 0

    workers.program = program
    described = train(sagemaker)

    assert described["TrainingJobStatus"] == "Completed"
    assert described["ModelArtifacts"] == {
        "S3ModelArtifacts": "s3://bucket/models/train-1/output/model.tar.gz"
    }
    assert "models/train-1/output/model.tar.gz" in aws.s3.keys
    metrics = {metric["MetricName"]: metric["Value"] for metric in described["FinalMetricDataList"]}
    assert metrics == {"train:rmse": 1e-05, "validation:rmse": 2.5}
    assert workers.processes[0].args[:2] == ("-m", "local.sagemaker.engines.xgboost_algorithm")


def test_a_training_job_passes_through_its_secondary_statuses(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        (root_of(running) / "model/xgboost-model").write_bytes(b"trees")
        return 0

    workers.program = program
    transitions = train(sagemaker)["SecondaryStatusTransitions"]

    assert [each["Status"] for each in transitions] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    for one, following in itertools.pairwise(transitions):
        assert one["EndTime"] == following["StartTime"]
    assert "EndTime" not in transitions[-1]


def test_a_failed_training_job_has_the_algorithms_failure_message(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        (root_of(running) / "output/failure").write_text("no such objective")
        (root_of(running) / "model/half").write_text("half")
        return 3

    workers.program = program
    described = train(sagemaker)

    assert described["FailureReason"] == "AlgorithmError: no such objective, exit code: 3"
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Failed", "Failed")
    assert "ModelArtifacts" not in described


def test_a_training_job_that_exceeds_its_time_limit_keeps_its_model(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    def program(running: Running) -> int:
        (root_of(running) / "model/xgboost-model").write_bytes(b"half a forest")
        raise TimeoutError

    workers.program = program
    described = train(sagemaker)

    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert "ModelArtifacts" in described


def test_a_training_job_that_is_stopped_passes_through_stopping(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    started = threading.Event()
    workers.program = waiting(started)
    sagemaker.call("CreateTrainingJob", TRAINING)
    assert started.wait(10)
    sagemaker.call("StopTrainingJob", {"TrainingJobName": "train-1"})
    described = sagemaker.wait("training", "train-1", timeout=10)
    sagemaker.close()

    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Stopped", "Stopped")
    secondary = [each["Status"] for each in described["SecondaryStatusTransitions"]]
    assert secondary == ["Starting", "Downloading", "Training", "Stopping", "Stopped"]
    assert statuses(aws, "Training Job", "SecondaryStatus") == secondary


def test_a_processing_job_that_is_stopped_says_so_in_its_events(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    started, stopped_twice = threading.Event(), threading.Event()

    def program(running: Running) -> int:
        started.set()
        assert running.stopped.wait(10)
        assert stopped_twice.wait(10)
        return 0

    workers.program = program
    sagemaker.call("CreateProcessingJob", PROCESSING)
    assert started.wait(10)
    for _ in range(2):
        sagemaker.call("StopProcessingJob", {"ProcessingJobName": "prepare"})
    stopped_twice.set()
    sagemaker.wait("processing", "prepare", timeout=10)
    sagemaker.close()

    assert statuses(aws, "Processing Job", "ProcessingJobStatus") == ["InProgress", "Stopping", "Stopped"]
    entry = aws.events.entries[-1]
    assert (entry["Source"], entry["Resources"]) == ("aws.sagemaker", [f"{ARN}:processing-job/prepare"])
    assert json.loads(entry["Detail"])["CreationTime"] > 1e12


@pytest.mark.parametrize(
    ("action", "request_", "code", "message"),
    [
        (
            "DescribeProcessingJob",
            {"ProcessingJobName": "no"},
            "ValidationException",
            "Could not find requested job with name: no",
        ),
        (
            "StopProcessingJob",
            {"ProcessingJobName": "no"},
            "ValidationException",
            "Could not find job to update with name: no",
        ),
        (
            "DescribeTrainingJob",
            {"TrainingJobName": "no"},
            "ValidationException",
            "Requested resource not found.",
        ),
        (
            "StopTrainingJob",
            {"TrainingJobName": "no"},
            "ValidationException",
            "Requested resource not found.",
        ),
        (
            "DescribeTransformJob",
            {"TransformJobName": "no"},
            "ValidationException",
            "Could not find requested job with name: no",
        ),
        (
            "DescribeHyperParameterTuningJob",
            {"HyperParameterTuningJobName": "no"},
            "ResourceNotFound",
            "Amazon SageMaker can't find a tuning job called no. Type another name.",
        ),
        (
            "ListTrainingJobsForHyperParameterTuningJob",
            {"HyperParameterTuningJobName": "no"},
            "ResourceNotFound",
            "Amazon SageMaker can't find a tuning job called no. Type another name.",
        ),
        (
            "CreateProcessingJob",
            PROCESSING,
            "ResourceInUse",
            "Job name must be unique within an AWS account and region, and a job with this name already exists "
            f"({ARN}:processing-job/prepare)",
        ),
        (
            "CreateTrainingJob",
            TRAINING,
            "ResourceInUse",
            "Training job names must be unique within an AWS account and region, and a training job with this name "
            f"already exists ({ARN}:training-job/train-1)",
        ),
        (
            "StopTrainingJob",
            {"TrainingJobName": "train-1"},
            "ValidationException",
            "The request was rejected because the training job is in status Completed.",
        ),
    ],
)
def test_a_duplicate_or_missing_job_is_refused_in_the_words_of_aws(
    action: str, request_: Json, code: str, message: str, sagemaker: SageMaker
) -> None:
    process(sagemaker)
    train(sagemaker)

    with pytest.raises(ServiceError) as refused:
        sagemaker.call(action, request_)

    assert (refused.value.code, refused.value.message) == (code, message)


def test_a_running_job_cannot_be_deleted_and_an_ended_one_frees_its_name(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    started = threading.Event()
    workers.program = waiting(started)
    sagemaker.call("CreateProcessingJob", PROCESSING)
    with pytest.raises(ServiceError) as refused:
        sagemaker.call("DeleteProcessingJob", {"ProcessingJobName": "prepare"})
    assert refused.value.code == "ResourceInUse"

    assert started.wait(10)
    sagemaker.call("StopProcessingJob", {"ProcessingJobName": "prepare"})
    sagemaker.wait("processing", "prepare", timeout=10)
    sagemaker.call("DeleteProcessingJob", {"ProcessingJobName": "prepare"})
    workers.program = lambda running: 0
    assert process(sagemaker)["ProcessingJobStatus"] == "Completed"


def test_waiting_longer_than_wanted_ends_with_a_timeout(sagemaker: SageMaker, workers: FakeWorkers) -> None:
    workers.program = waiting(threading.Event())
    sagemaker.call("CreateProcessingJob", PROCESSING)

    with pytest.raises(TimeoutError, match="processing job prepare is still InProgress"):
        sagemaker.wait("processing", "prepare", timeout=0.01)


def test_closing_stops_running_jobs_and_refuses_new_ones(sagemaker: SageMaker, workers: FakeWorkers) -> None:
    started = threading.Event()
    workers.program = waiting(started)
    sagemaker.call("CreateProcessingJob", PROCESSING)
    assert started.wait(10)
    sagemaker.close()
    sagemaker.close()

    assert sagemaker.wait("processing", "prepare", timeout=0)["ProcessingJobStatus"] == "Stopped"
    with pytest.raises(ServiceError) as refused:
        sagemaker.call("CreateTrainingJob", TRAINING)
    assert refused.value.status == 503


LIMIT = (
    "The account-level service limit 'ml.m5.large for {usage} usage' is {limit} Instances, with current utilization of "
    "{used} Instances and a request delta of {delta} Instances. Please use AWS Service Quotas to request an increase for "
    "this quota. If AWS Service Quotas is not available, contact AWS support to request an increase for this quota."
)


@pytest.mark.parametrize(
    ("usage", "action", "request_", "delta"),
    [
        ("processing job", "CreateProcessingJob", PROCESSING, 1),
        ("training job", "CreateTrainingJob", TRAINING, 1),
        ("training job", "CreateHyperParameterTuningJob", TUNING, 2),
        ("transform job", "CreateTransformJob", TRANSFORM, 1),
        (
            "spot training job",
            "CreateTrainingJob",
            changed(TRAINING, "EnableManagedSpotTraining", True)
            | {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}},
            1,
        ),
    ],
)
def test_a_quota_that_does_not_suffice_is_refused_in_the_words_of_aws(
    usage: str, action: str, request_: Json, delta: int, make_sagemaker: MakeSageMaker
) -> None:
    sagemaker = make_sagemaker(**{f"ml.m5.large for {usage} usage": delta - 1})
    sagemaker.call("CreateModel", MODEL)

    with pytest.raises(ServiceError) as refused:
        sagemaker.call(action, request_)

    assert refused.value.code == "ResourceLimitExceeded"
    assert refused.value.message == LIMIT.format(usage=usage, limit=delta - 1, used=0, delta=delta)


def test_a_quota_counts_running_jobs_and_not_ended_ones(
    make_sagemaker: MakeSageMaker, workers: FakeWorkers
) -> None:
    sagemaker = make_sagemaker(**{"ml.m5.large for training job usage": 1})
    started = threading.Event()
    workers.program = waiting(started)
    sagemaker.call("CreateTrainingJob", TRAINING)
    with pytest.raises(ServiceError) as refused:
        sagemaker.call("CreateTrainingJob", TRAINING | {"TrainingJobName": "train-2"})
    assert refused.value.message == LIMIT.format(usage="training job", limit=1, used=1, delta=1)

    assert started.wait(10)
    sagemaker.call("StopTrainingJob", {"TrainingJobName": "train-1"})
    sagemaker.wait("training", "train-1", timeout=10)
    sagemaker.call("CreateTrainingJob", TRAINING | {"TrainingJobName": "train-2"})
