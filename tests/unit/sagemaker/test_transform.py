import gzip
import io
import json
import tarfile
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
        _, _, root, requests, responses, _, _ = running.args
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
    assert environment["SAGEMAKER_PROGRAM"] == "inference.py"
    assert environment["SAGEMAKER_SUBMIT_DIRECTORY"] == "/opt/ml/model/code"
    assert (environment["MORE"], environment["AWS_ACCESS_KEY_ID"]) == ("x", ROLE)
    assert running.args[-2:] == ("text/csv", "text/csv")


def test_an_isolated_model_has_neither_a_network_nor_credentials(
    sagemaker: SageMaker, workers: FakeWorkers
) -> None:
    sagemaker.call("CreateModel", MODEL | {"ModelName": "isolated", "EnableNetworkIsolation": True})
    workers.program = serve(sums)
    transform(sagemaker, TRANSFORM | {"ModelName": "isolated"})

    (running,) = workers.processes
    assert not running.command.network
    assert "AWS_ACCESS_KEY_ID" not in running.command.env


def test_one_record_a_request_if_wanted(sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers) -> None:
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


def test_a_model_that_fails_fails_the_job_with_its_reason(sagemaker: SageMaker, workers: FakeWorkers) -> None:
    def program(running: Running) -> int:
        (running.root / "output/failure").write_text("payload 00000000: 8 columns wanted")
        return 1

    workers.program = program

    assert transform(sagemaker)["FailureReason"] == (
        "AlgorithmError: See job logs for more information: payload 00000000: 8 columns wanted"
    )


def test_compressed_objects_are_opened(sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers) -> None:
    aws.s3.objects = {
        ("bucket", "models/model.tar.gz"): model_archive(),
        ("bucket", "batch/a.csv.gz"): gzip.compress(b"1,2\n"),
    }
    workers.program = serve(sums)
    transform(sagemaker, changed(TRANSFORM, "TransformInput.CompressionType", "Gzip"))

    assert aws.s3.get("s3://bucket/out/a.csv.gz.out") == b"3\n"


def test_an_empty_object_has_an_empty_output(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    aws.s3.put("s3://bucket/batch/empty.csv", b"")
    workers.program = serve(sums)
    transform(sagemaker)

    assert aws.s3.get("s3://bucket/out/empty.csv.out") == b""


def test_a_model_without_its_artifact_fails_the_job(sagemaker: SageMaker, aws: FakeAws) -> None:
    del aws.s3.objects["bucket", "models/model.tar.gz"]

    assert 'under S3 URL "s3://bucket/models/model.tar.gz"' in transform(sagemaker)["FailureReason"]


def test_the_events_of_a_transform_job_carry_its_states(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers
) -> None:
    workers.program = serve(sums)
    transform(sagemaker)
    sagemaker.close()

    details = [json.loads(entry["Detail"]) for entry in aws.events.entries]
    assert [each["TransformJobStatus"] for each in details] == ["InProgress", "Completed"]
