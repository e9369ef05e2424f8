"""Endpoint configurations that SageMaker refuses, and data capture."""

import base64
import json
from typing import Any

import pytest

from local.sagemaker import SageMaker, ServiceError
from tests.unit.sagemaker.endpoints import INSTANCES, SERVERLESS, Hosting
from tests.unit.sagemaker.fakes import FakeAws, FakeWorkers, Running
from tests.unit.sagemaker.requests import MODEL

pytestmark = pytest.mark.enable_socket

Json = dict[str, Any]
CAPTURE: Json = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://bucket/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
}


def serverless(**config: int) -> Json:
    return {**SERVERLESS, "ServerlessConfig": {**SERVERLESS["ServerlessConfig"], **config}}


@pytest.fixture
def hosting(sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers) -> Hosting:
    return Hosting(sagemaker, aws, workers)


@pytest.mark.parametrize(
    ("variants", "more", "message"),
    [
        ([INSTANCES, INSTANCES], {}, "VariantName must be unique"),
        ([{**INSTANCES, "ModelName": "none"}], {}, 'Could not find model "arn:aws:sagemaker:'),
        ([{**INSTANCES, "InstanceType": "ml.t3.medium"}], {}, "failed to satisfy constraint: Member must satisfy enum"),
        ([{**INSTANCES, "InitialInstanceCount": None}], {}, "InitialInstanceCount is required"),
        ([{**INSTANCES, "InitialInstanceCount": 17}], {}, "More than 16 instances"),
        ([SERVERLESS, {**SERVERLESS, "VariantName": "green"}], {}, "Multiple production variants are not"),
        ([SERVERLESS], {"DataCaptureConfig": CAPTURE}, "Data capture is not supported for Serverless"),
        ([SERVERLESS | {"InstanceType": "ml.m5.large"}], {}, "InstanceType cannot be specified with"),
        ([serverless(MemorySizeInMB=1500)], {}, "Valid values are 1024, 2048"),
        ([serverless(MemorySizeInMB=7168)], {}, "less than or equal to 6144"),
        ([serverless(MaxConcurrency=201)], {}, "less than or equal to 200"),
        ([serverless(ProvisionedConcurrency=3)], {}, "must be less than or equal to MaxConcurrency"),
        ([{**INSTANCES, "ManagedInstanceScaling": {"Status": "ENABLED"}}], {}, "ManagedInstanceScaling is not"),
        ([INSTANCES], {"ShadowProductionVariants": [INSTANCES]}, "ShadowProductionVariants is not supported"),
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_work_is_refused(
    hosting: Hosting, variants: list[Json], more: Json, message: str
) -> None:
    with pytest.raises(ServiceError) as error:
        hosting.configure("first", *variants, **more)
    assert message in error.value.message
    assert hosting.sagemaker.call("ListEndpointConfigs", {})["EndpointConfigs"] == []


def test_an_isolated_model_is_refused_on_a_serverless_endpoint_only(hosting: Hosting) -> None:
    hosting.sagemaker.call("CreateModel", {**MODEL, "ModelName": "alone", "EnableNetworkIsolation": True})
    with pytest.raises(ServiceError, match="Network isolation is not supported for Serverless Inference"):
        hosting.configure("first", {**SERVERLESS, "ModelName": "alone"})
    hosting.configure("first", {**INSTANCES, "ModelName": "alone"})
    hosting.create()
    command = hosting.workers.processes[0].command
    assert (command.network, "AWS_ACCESS_KEY_ID" in command.env) == (False, False)


def test_a_configuration_is_described_and_deleted(hosting: Hosting) -> None:
    hosting.configure("First", SERVERLESS, Tags=[{"Key": "a", "Value": "b"}])
    described = hosting.sagemaker.call("DescribeEndpointConfig", {"EndpointConfigName": "first"})
    arn = "arn:aws:sagemaker:us-east-1:000000000000:endpoint-config/first"

    assert (described["EndpointConfigArn"], described["EndpointConfigName"]) == (arn, "First")
    assert described["ProductionVariants"] == [{**SERVERLESS, "InitialVariantWeight": 1.0}]
    assert hosting.sagemaker.call("ListTags", {"ResourceArn": arn})["Tags"] == [{"Key": "a", "Value": "b"}]
    with pytest.raises(ServiceError, match="Cannot create already existing endpoint configuration"):
        hosting.configure("FIRST")
    hosting.sagemaker.call("DeleteEndpointConfig", {"EndpointConfigName": "First"})
    with pytest.raises(ServiceError, match=f'Could not find endpoint configuration "{arn}"'):
        hosting.create(config="First")


def captured(hosting: Hosting) -> list[Json]:
    hosting.sagemaker.close()
    keys = [key for key in hosting.aws.s3.keys if key.startswith("captured/Cars/blue/")]
    assert all(key.endswith(".jsonl") and key.count("/") == 7 for key in keys)
    lines = [line for key in keys for line in hosting.aws.s3.get(f"s3://bucket/{key}").splitlines()]
    return [json.loads(line) for line in lines]


def test_requests_and_answers_are_captured_as_aws_writes_them(hosting: Hosting) -> None:
    hosting.configure(DataCaptureConfig=CAPTURE)
    described = hosting.create()
    hosting.ask(b"1,2", inference_id="seven", custom_attributes="trace=1")
    hosting.ask(b"3,4")

    assert described["DataCaptureConfig"] == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 100,
        "DestinationS3Uri": "s3://bucket/captured",
    }
    first, second = captured(hosting)
    metadata = first.pop("eventMetadata")
    assert set(metadata) == {"eventId", "inferenceId", "customAttributes", "inferenceTime"}
    assert (metadata["inferenceId"], metadata["customAttributes"]) == ("seven", ["trace=1"])
    csv = {"observedContentType": "text/csv", "encoding": "CSV"}
    assert first == {
        "captureData": {
            "endpointInput": {**csv, "mode": "INPUT", "data": "1,2"},
            "endpointOutput": {**csv, "mode": "OUTPUT", "data": "trees 1,2"},
        },
        "eventVersion": "0",
    }
    assert second["captureData"]["endpointInput"]["data"] == "3,4"


def test_other_types_are_captured_as_base64_and_errors_not_at_all(hosting: Hosting) -> None:
    config = {**CAPTURE, "CaptureOptions": [{"CaptureMode": "Output"}], "CaptureContentTypeHeader": None}
    hosting.configure(DataCaptureConfig=config)
    hosting.create()
    hosting.ask(b"1")

    def fail(running: Running, body: bytes) -> tuple[int, bytes]:
        return 400, b"no"

    hosting.serve = fail
    with pytest.raises(ServiceError):
        hosting.ask()
    (event,) = captured(hosting)
    assert event["captureData"] == {
        "endpointOutput": {
            "observedContentType": "text/csv",
            "mode": "OUTPUT",
            "data": base64.b64encode(b"trees 1").decode(),
            "encoding": "BASE64",
        }
    }


@pytest.mark.parametrize("change", [{"EnableCapture": False}, {"InitialSamplingPercentage": 0}])
def test_what_is_not_sampled_is_not_captured(hosting: Hosting, change: Json) -> None:
    hosting.configure(DataCaptureConfig=CAPTURE | change)
    hosting.create()
    hosting.ask()
    assert captured(hosting) == []
