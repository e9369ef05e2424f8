"""REST calls signed for SageMaker."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.embedded.iam import sagemaker_resource
from local.embedded.sagemaker_runtime import Response, Runtime, with_runtime
from local.sagemaker import Answer, Invocation, ServiceError

ENDPOINT = "arn:aws:sagemaker:eu-west-1:111122223333:endpoint/my-cars"


@dataclass
class Bench:
    """A runtime in front of one endpoint, which answers with the body."""

    refusal: str | None = None
    failure: Exception | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    invoked: list[Invocation] = field(default_factory=list)

    def invoke(self, endpoint_name: str, invocation: Invocation) -> tuple[Answer, str]:
        if self.failure is not None:
            raise self.failure
        self.invoked.append(invocation)
        headers = {"content-type": "text/csv", "X-Amzn-Sagemaker-Custom-Attributes": "trace=2", "Server": "x"}
        return Answer(200, headers, invocation.body, 0.001), "blue"

    def refuse_missing_endpoint(self, endpoint_name: str) -> None:
        if endpoint_name != "My-Cars":
            raise ServiceError("ValidationError", "not found")

    def send(self, path: str, headers: Mapping[str, str] = {}, body: bytes = b"1,2") -> Response:
        def refuse(headers: Mapping[str, str], action: str, resource: str) -> str | None:
            self.asked.append((action, resource))
            return self.refusal

        def resource(action: str, request: object) -> str:
            return sagemaker_resource(action, request, "eu-west-1", "111122223333")  # type: ignore[arg-type]

        return asyncio.run(Runtime(self, resource, refuse).answer("POST", path, headers, body))

    def refused(self, path: str, headers: Mapping[str, str] = {}) -> tuple[int, str, str]:
        status, answered, body = self.send(path, headers)
        assert answered["x-amzn-ErrorType"] == json.loads(body)["Code"]
        return status, json.loads(body)["Code"], json.loads(body)["Message"]


def test_an_invocation_passes_body_and_headers_both_ways() -> None:
    bench = Bench()
    given = {
        "content-type": "text/csv",
        "accept": "text/csv",
        "x-amzn-sagemaker-target-variant": "blue",
        "x-amzn-sagemaker-inference-id": "7",
        "x-amzn-sagemaker-custom-attributes": "trace=1",
        "authorization": "secret",
    }

    assert bench.send("/endpoints/My-Cars/invocations", given) == (
        200,
        {
            "Content-Type": "text/csv",
            "X-Amzn-SageMaker-Custom-Attributes": "trace=2",
            "x-Amzn-Invoked-Production-Variant": "blue",
        },
        b"1,2",
    )
    assert bench.asked == [("sagemaker:InvokeEndpoint", ENDPOINT)]
    (call,) = bench.invoked
    assert call.headers == {
        "Content-Type": "text/csv",
        "Accept": "text/csv",
        "X-Amzn-SageMaker-Custom-Attributes": "trace=1",
    }
    assert (call.target_variant, call.inference_id, call.custom_attributes) == ("blue", "7", "trace=1")


def test_a_refusal_has_the_members_of_its_error() -> None:
    failure = ServiceError("ModelError", "no", 424, {"OriginalStatusCode": 400, "OriginalMessage": "why"})
    status, _, body = Bench(failure=failure).send("/endpoints/My-Cars/invocations")

    assert status == 424
    assert json.loads(body) == {
        "Code": "ModelError",
        "Message": "no",
        "OriginalStatusCode": 400,
        "OriginalMessage": "why",
    }


def test_a_fault_of_this_server_does_not_reach_the_caller() -> None:
    message = "InvokeEndpoint failed inside the local SageMaker; see its log."
    refused = Bench(failure=KeyError("secret")).refused("/endpoints/My-Cars/invocations")

    assert refused == (500, "InternalFailure", message)


@pytest.mark.parametrize("how", ["async-invocations", "invocations-response-stream"])
def test_other_ways_to_invoke_are_refused(how: str) -> None:
    status, code, message = Bench().refused(f"/endpoints/My-Cars/{how}")

    assert (status, code) == (400, "ValidationError")
    assert message.endswith("is not supported by the local SageMaker.")
    assert Bench().refused(f"/endpoints/other/{how}") == (400, "ValidationError", "not found")


def test_members_without_an_effect_are_refused() -> None:
    message = "TargetModel is not supported by the local SageMaker."
    refused = Bench().refused("/endpoints/My-Cars/invocations", {"x-amzn-sagemaker-target-model": "a"})

    assert refused == (400, "ValidationError", message)


def test_a_caller_without_permission_does_not_learn_whether_an_endpoint_exists() -> None:
    bench = Bench(refusal="no")

    assert bench.refused("/endpoints/My-Cars/invocations") == (403, "AccessDeniedException", "no")
    assert bench.invoked == []


@pytest.mark.parametrize("path", ["/BatchPutMetrics", "/FeatureGroup/cars", "/endpointless"])
def test_an_unsupported_call_is_reported_as_such(path: str) -> None:
    message = f"POST {path} is not served by the local SageMaker."
    assert Bench().refused(path) == (404, "UnknownOperationException", message)


def reached(service: str, path: str) -> bool:
    """Whether a call signed for a service passes by the emulator and reaches the endpoint."""
    bench = Bench()
    sent: list[dict[str, Any]] = []

    async def aws(scope: Any, receive: Any, send: Any) -> None:
        sent.append({"type": "emulator"})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"1,2"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [
            (b"authorization", f"AWS4-HMAC-SHA256 Credential=a/b/c/{service}/aws4_request, x".encode())
        ],
    }
    runtime = Runtime(bench, lambda *_: ENDPOINT, lambda *_: None)

    async def call() -> None:
        await with_runtime(aws, runtime)(scope, receive, send)

    asyncio.run(call())
    if sent[0]["type"] == "emulator":
        return False
    assert (sent[0]["status"], sent[1]["body"]) == (200, b"1,2")
    assert (b"content-length", b"3") in sent[0]["headers"]
    return True


@pytest.mark.parametrize(
    ("service", "path", "reaches"),
    [
        ("sagemaker", "/endpoints/My-Cars/invocations", True),
        # A bucket may have that name, too; and the JSON API has the path /.
        ("s3", "/endpoints/My-Cars/invocations", False),
        ("sagemaker", "/", False),
    ],
)
def test_only_rest_calls_of_sagemaker_pass_by_the_emulator(service: str, path: str, reaches: bool) -> None:
    assert reached(service, path) == reaches
