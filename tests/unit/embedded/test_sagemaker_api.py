"""Additional permissions of CreateModelPackage's caller, and refusals that need no permission check."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from local.embedded.iam import also_needed, sagemaker_resource
from local.embedded.sagemaker_api import Permissions, sagemaker_handler

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
REPOSITORY = "arn:aws:ecr:us-east-1:683313688378:repository/sagemaker-xgboost"
MODEL = "arn:aws:s3:::bucket/models/run/model.tar.gz"
REQUEST = {
    "ModelPackageGroupName": "cars",
    "InferenceSpecification": {
        "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://bucket/models/run/model.tar.gz"}]
    },
}


@dataclass
class Caller:
    """Sends requests and may do anything except `denied`; the objects `stored` exist."""

    denied: str = ""
    stored: tuple[str, ...] = (MODEL,)
    asked: list[tuple[str, str]] = field(default_factory=list)
    made: list[str] = field(default_factory=list)

    def call(self, action: str, request: dict[str, Any]) -> dict[str, Any]:
        self.made.append(action)
        return {}

    def send(self, action: str, request: Mapping[str, Any]) -> dict[str, Any]:
        permissions = Permissions(
            resource=partial(sagemaker_resource, region="us-east-1", account="000000000000"),
            also_needed=partial(also_needed, region="us-east-1", account="000000000000"),
            refusal=self._refusal,
            assume=lambda role: None,
            may_grant=lambda *_: True,
            exists=lambda arn: arn in self.stored,
            is_scaled=lambda endpoint: endpoint == "scaled",
        )
        handle = sagemaker_handler(self, permissions)
        sent = {"x-amz-target": f"SageMaker.{action}"}
        answered = handle("POST", "/", sent, json.dumps(request).encode(), {})
        _, _, body = asyncio.run(asyncio.wait_for(answered, 10))
        answer: dict[str, Any] = json.loads(body)
        return answer

    def _refusal(
        self,
        headers: Mapping[str, str],
        action: str,
        resource: str,
        context: Mapping[str, str] | None = None,
    ) -> str | None:
        self.asked.append((action, resource))
        return f"not authorized to perform: {action}" if action == self.denied else None


def test_registering_a_model_reads_its_image_and_its_artifact() -> None:
    caller = Caller()
    assert caller.send("CreateModelPackage", REQUEST) == {}

    assert caller.made == ["CreateModelPackage"]
    assert caller.asked == [
        ("ecr:BatchGetImage", REPOSITORY),
        ("ecr:DescribeImages", REPOSITORY),
        ("s3:GetObject", MODEL),
    ]


@pytest.mark.parametrize("action", ["ecr:BatchGetImage", "ecr:DescribeImages", "s3:GetObject"])
def test_without_one_of_these_rights_no_model_is_registered(action: str) -> None:
    caller = Caller(denied=action)

    assert caller.send("CreateModelPackage", REQUEST) == {
        "__type": "AccessDeniedException",
        "message": f"not authorized to perform: {action}",
    }
    assert caller.made == []


def test_a_missing_model_is_not_registered() -> None:
    caller = Caller(stored=())

    assert caller.send("CreateModelPackage", REQUEST) == {
        "__type": "ValidationException",
        "message": "Could not find model data at s3://bucket/models/run/model.tar.gz.",
    }
    assert caller.made == []


def test_an_endpoint_needs_the_permission_on_its_configuration_as_well() -> None:
    config = "arn:aws:sagemaker:us-east-1:000000000000:endpoint-config/cars-2"
    for action in ("CreateEndpoint", "UpdateEndpoint"):
        caller = Caller()
        caller.send(action, {"EndpointName": "Cars", "EndpointConfigName": "Cars-2"})
        assert caller.asked == [(f"sagemaker:{action}", config)]


def test_deleting_a_scaled_endpoint_takes_the_permission_to_deregister_its_targets() -> None:
    caller = Caller(denied="application-autoscaling:DeregisterScalableTarget")
    caller.send("DeleteEndpoint", {"EndpointName": "other"})
    refused = caller.send("DeleteEndpoint", {"EndpointName": "scaled"})

    assert caller.made == ["DeleteEndpoint"]
    assert refused["__type"] == "AccessDeniedException"
    assert refused["message"].startswith("An Application AutoScaling scalable target exists for a variant")
