"""REST calls signed for SageMaker."""

import json

import pytest

from local.embedded.iam import sagemaker_resource
from local.embedded.sagemaker_runtime import answer_rest


def answered(path: str, refusal: str | None = None) -> tuple[int, str, str]:
    asked: list[tuple[str, str]] = []

    def refuse(action: str, resource: str) -> str | None:
        asked.append((action, resource))
        return refusal and f"{refusal} {action} {resource}"

    def resource(action: str, request: object) -> str:
        return sagemaker_resource(action, request, "eu-west-1", "111122223333")  # type: ignore[arg-type]

    status, headers, body = answer_rest("POST", path, resource, refuse)
    assert len(asked) == path.startswith("/endpoints/")
    return status, headers["x-amzn-ErrorType"], json.loads(body)["Message"]


@pytest.mark.parametrize("how", ["invocations", "async-invocations", "invocations-response-stream"])
def test_no_endpoint_is_found(how: str) -> None:
    missing = "Endpoint My-Cars of account 111122223333 not found."
    assert answered(f"/endpoints/My-Cars/{how}") == (400, "ValidationError", missing)


def test_a_caller_without_permission_does_not_learn_whether_an_endpoint_exists() -> None:
    message = "no sagemaker:InvokeEndpoint arn:aws:sagemaker:eu-west-1:111122223333:endpoint/my-cars"
    assert answered("/endpoints/My-Cars/invocations", "no") == (403, "AccessDeniedException", message)


@pytest.mark.parametrize("path", ["/BatchPutMetrics", "/FeatureGroup/cars", "/endpointless"])
def test_an_unsupported_call_is_reported_as_such(path: str) -> None:
    message = f"POST {path} is not served by the local SageMaker."
    assert answered(path) == (404, "UnknownOperationException", message)
