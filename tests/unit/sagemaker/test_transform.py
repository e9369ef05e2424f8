import gzip
import io
import json
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.sagemaker import SageMaker
from tests.unit.sagemaker.fakes import ROLE, FakeAws, FakeWorkers, Running
from tests.unit.sagemaker.requests import MODEL, TRANSFORM, changed

Json = dict[str, Any]
Answer = Callable[[bytes], bytes]
JOIN = {"JoinSource": "Input"}


def model_archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("xgboost-model")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"trees"))
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def data(aws: FakeAws, sagemaker: SageMaker) -> None:
    aws.s3.put("s3://bucket/models/model.tar.gz", model_archive())
    aws.s3.put("s3://bucket/batch/a.csv", b"1,2\n3,4\n")
    aws.s3.put("s3://bucket/batch/deep/b.csv", b"5,6")
    sagemaker.call("CreateModel", MODEL)


def serve(answer: Answer) -> Callable[[Running], int]:
    """The protocol of `engines.serving`, with a function as the model."""

    def program(running: Running) -> int:
        _, _, _, root, requests, responses, *_ = running.args
        assert root == "/opt/ml"
        assert (running.root / "model/xgboost-model").read_bytes() == b"trees"
        Path(responses).mkdir()
        for path in sorted(Path(requests).iterdir()):
            (Path(responses) / path.name).write_bytes(answer(path.read_bytes()))
        return 0

    return program


def sums(body: bytes) -> bytes:
    """One line with the sum of the columns for each line, without a newline at the end."""
    return b"\n".join(str(sum(int(x) for x in line.split(b","))).encode() for line in body.split())


def transform(sagemaker: SageMaker, request: Json = TRANSFORM) -> Json:
    sagemaker.call("CreateTransformJob", request)
    return sagemaker.wait("transform", "predict", timeout=10)


def test_each_object_has_its_output_beside_its_relative_key(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    workers.program = serve(sums)
    described = transform(sagemaker)

    assert described["TransformJobStatus"] == "Completed"
    assert aws.s3.get("s3://bucket/out/a.csv.out") == b"3\n7\n"
    assert aws.s3.get("s3://bucket/out/deep/b.csv.out") == b"11\n"
    assert len(workers.processes) == 1


def test_the_log_begins_with_the_settings(sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers) -> None:
    workers.program = serve(sums)
    transform(sagemaker)
    sagemaker.close()

    ((group, _), (first, *_)) = next(iter(aws.logs.lines.items()))
    assert group == "/aws/sagemaker/TransformJobs"
    assert first == (
        "[sagemaker logs]: MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=MULTI_RECORD"
    )


def test_outputs_of_a_manifest_are_stored_under_the_names_in_it(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    workers.program = serve(sums)
    aws.s3.put("s3://bucket/m", b'[{"prefix": "s3://bucket/batch/"}, "deep/b.csv"]')
    source = {"S3DataType": "ManifestFile", "S3Uri": "s3://bucket/m"}
    described = transform(sagemaker, changed(TRANSFORM, "TransformInput.DataSource.S3DataSource", source))

    assert described["TransformJobStatus"] == "Completed"
    assert [key for key in aws.s3.keys if key.startswith("out/")] == ["out/deep/b.csv.out"]


def test_predictions_are_written_under_the_key_that_the_request_names(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    workers.program = serve(sums)
    key = "arn:aws:kms:us-east-1:000000000000:key/1234abcd"
    transform(sagemaker, changed(TRANSFORM, "TransformOutput.KmsKeyId", key))
    assert aws.s3.under == {"out/a.csv.out": key, "out/deep/b.csv.out": key}


def test_the_model_gets_its_environment_and_the_content_types(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    workers.program = serve(sums)
    transform(sagemaker, TRANSFORM | {"Environment": {"MORE": "x"}})

    (running,) = workers.processes
    environment = running.command.env
    assert environment["SAGEMAKER_SERVING_MODULE"] == "sagemaker_xgboost_container.serving:main"
    assert environment["SM_MODEL_DIR"] == "/opt/ml/model"
    assert environment["SAGEMAKER_PROGRAM"] == "inference.py"
    assert environment["SAGEMAKER_SUBMIT_DIRECTORY"] == "/opt/ml/model/code"
    assert (environment["MORE"], environment["AWS_ACCESS_KEY_ID"]) == ("x", ROLE)
    assert running.args[-3:] == ("text/csv", "text/csv", "connected")


def test_a_models_own_environment_overrides_the_images_and_its_isolation_is_described(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    workers.program = serve(sums)
    model = changed(MODEL, "PrimaryContainer.Environment", {"SAGEMAKER_SERVING_MODULE": "wsgi:main"})
    sagemaker.call("CreateModel", model | {"ModelName": "own", "EnableNetworkIsolation": True})
    transform(sagemaker, TRANSFORM | {"ModelName": "own"})

    (running,) = workers.processes
    assert running.command.env["SAGEMAKER_SERVING_MODULE"] == "wsgi:main"
    assert running.args[-1] == "isolated"


def test_an_isolated_model_has_neither_a_network_nor_credentials(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    sagemaker.call("CreateModel", MODEL | {"ModelName": "isolated", "EnableNetworkIsolation": True})
    workers.program = serve(sums)
    transform(sagemaker, TRANSFORM | {"ModelName": "isolated"})

    (running,) = workers.processes
    assert not running.command.network
    assert "AWS_ACCESS_KEY_ID" not in running.command.env


def test_each_request_has_one_record_if_requested(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    bodies: list[bytes] = []
    workers.program = serve(lambda body: bodies.append(body) or sums(body))  # type: ignore[func-returns-value]
    transform(sagemaker, TRANSFORM | {"BatchStrategy": "SingleRecord"})

    assert bodies == [b"1,2\n", b"3,4\n", b"5,6\n"]
    assert aws.s3.get("s3://bucket/out/a.csv.out") == b"3\n7\n"


def test_an_object_that_is_not_split_goes_to_the_model_as_it_is(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    workers.program = serve(lambda body: b"<" + body + b">")
    request = changed(TRANSFORM, "TransformInput.SplitType", "None")
    transform(sagemaker, changed(request, "TransformOutput.AssembleWith", "None"))

    assert aws.s3.get("s3://bucket/out/a.csv.out") == b"<1,2\n3,4\n>"


@pytest.mark.parametrize(
    ("processing", "output"),
    [
        (JOIN, b"1,2,3\n3,4,7\n"),
        ({"InputFilter": "$[1:]"}, b"2\n4\n"),
        ({"InputFilter": "$[1:]", **JOIN}, b"1,2,2\n3,4,4\n"),
        ({"OutputFilter": "$[0,-1]", **JOIN}, b"1,3\n3,7\n"),
    ],
)
def test_inputs_are_filtered_and_joined_with_their_results(
    processing: Json, output: bytes, sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    workers.program = serve(sums)
    transform(sagemaker, TRANSFORM | {"DataProcessing": processing})

    assert aws.s3.get("s3://bucket/out/a.csv.out") == output


def test_a_model_that_drops_a_record_cannot_be_joined(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    workers.program = serve(lambda body: b"1")
    described = transform(sagemaker, TRANSFORM | {"DataProcessing": JOIN})

    assert described["TransformJobStatus"] == "Failed"
    assert described["FailureReason"] == (
        "ClientError: See job logs for more information: "
        "batch/a.csv has 2 records, but the model returned 1; they cannot be joined"
    )
    assert "out/a.csv.out" not in aws.s3.keys


@pytest.mark.parametrize(
    ("refused", "reason", "data_log"),
    [
        (
            {"request": "00000001", "status": 400, "body": "record 1: no car\nat all"},
            "ClientError: See job logs for more information: record 1: no car\nat all",
            ["ClientError: 400", "", "Message:", "record 1: no car", "at all"],
        ),
        (
            {"request": "00000001", "status": 500, "body": "Internal Server Error"},
            "AlgorithmError: See job logs for more information: starting\nValueError: in /opt/ml/model",
            ["Bad HTTP status received from algorithm: 500", "", "Message:", "Internal Server Error"],
        ),
        (
            {"request": None, "status": None, "body": None},
            "AlgorithmError: Model container failed to respond to ping. Please ensure /ping endpoint is implemented "
            "and responds with an HTTP 200 status code: starting\nValueError: in /opt/ml/model",
            [],
        ),
        (
            None,
            "AlgorithmError: Unable to get response from algorithm: starting\nValueError: in /opt/ml/model",
            [],
        ),
    ],
)
def test_a_model_that_refuses_fails_the_job_with_the_reason_that_it_gave(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers, refused: Json, reason: str, data_log: list[str]
) -> None:
    def program(running: Running) -> int:
        responses = Path(running.args[5])
        responses.mkdir()
        if refused:
            (responses / "refused.json").write_text(json.dumps(refused))
        running.print("starting")
        running.print(f"ValueError: in {running.command.cwd}/model")
        return 1

    workers.program = program
    described = transform(sagemaker)
    sagemaker.close()

    assert described["FailureReason"] == reason
    logs = aws.logs.lines.items()
    logged = [line for (_, name), lines in logs if name.endswith("/data-log") for line in lines]
    assert logged == [f"[sagemaker logs]: bucket/batch/deep/b.csv: {line}" for line in data_log]


def test_compressed_objects_are_opened(sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers) -> None:
    aws.s3.objects = {
        ("bucket", "models/model.tar.gz"): model_archive(),
        ("bucket", "batch/a.csv.gz"): gzip.compress(b"1,2\n"),
    }
    workers.program = serve(sums)
    transform(sagemaker, changed(TRANSFORM, "TransformInput.CompressionType", "Gzip"))

    assert aws.s3.get("s3://bucket/out/a.csv.gz.out") == b"3\n"


class Long(io.RawIOBase):
    """An object of so many equal lines, which is nowhere as a whole."""

    def __init__(self, line: bytes, lines: int) -> None:
        self._line = line
        self._left = len(line) * lines

    def read(self, size: int = -1) -> bytes:
        """The next bytes: less than a MiB, of whole lines."""
        assert size >= len(self._line), "somebody reads the whole object"
        found = min(self._left, (1 << 20) // len(self._line) * len(self._line))
        self._left -= found
        return found // len(self._line) * self._line


def test_a_large_object_needs_no_more_memory_than_some_requests(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, lines = b"1," + b"0" * 16381 + b"\n", 2560
    read, written = aws.s3.get_object, []

    def get_object(Bucket: str, Key: str) -> Json:  # noqa: N803 - boto3's names
        found = read(Bucket=Bucket, Key=Key)
        return found | ({"Body": Long(line, lines)} if Key == "batch/a.csv" else {})

    def put_object(Bucket: str, Key: str, Body: Any) -> None:  # noqa: N803 - boto3's names
        written.append((Key, sum(map(len, Body))))

    monkeypatch.setattr(aws.s3, "get_object", get_object)
    monkeypatch.setattr(aws.s3, "put_object", put_object)
    workers.program = serve(lambda body: b"1\n" * body.count(b"\n"))
    request = changed(TRANSFORM, "MaxPayloadInMB", 1) | {"DataProcessing": JOIN}
    tracemalloc.start()
    try:
        described = transform(sagemaker, request)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert described["TransformJobStatus"] == "Completed"
    assert written[0] == ("out/a.csv.out", lines * (len(line) + len(",1")))
    assert peak < 16 << 20, f"{peak >> 20} MB for an object of {len(line) * lines >> 20} MB"


def test_an_empty_object_has_an_empty_output(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    aws.s3.put("s3://bucket/batch/empty.csv", b"")
    workers.program = serve(sums)
    transform(sagemaker)

    assert aws.s3.get("s3://bucket/out/empty.csv.out") == b""


def test_a_model_without_its_artifact_fails_the_job(sagemaker: SageMaker, aws: FakeAws) -> None:
    # A prefix would find this one.
    aws.s3.put("s3://bucket/models/model.tar.gz.more", model_archive())
    del aws.s3.objects["bucket", "models/model.tar.gz"]

    assert "S3 key: s3://bucket/models/model.tar.gz " in transform(sagemaker)["FailureReason"]


def test_the_events_of_a_transform_job_carry_its_states(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    workers.program = serve(sums)
    transform(sagemaker)
    sagemaker.close()

    details = [json.loads(entry["Detail"]) for entry in aws.events.entries]
    assert [each["TransformJobStatus"] for each in details] == ["InProgress", "Completed"]
