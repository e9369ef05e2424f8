"""Application Auto Scaling's protocol, and the permissions that its calls need."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.embedded.autoscaling_api import autoscaling_handler
from local.sagemaker import ServiceError

PLACE = "us-east-1:000000000000"
TARGETS = f"arn:aws:application-autoscaling:{PLACE}:scalable-target/*"
ENDPOINT = f"arn:aws:sagemaker:{PLACE}:endpoint/cars"
ALARMS = f"arn:aws:cloudwatch:{PLACE}:alarm:TargetTracking-*"
REQUEST = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/Cars/variant/blue",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}


@dataclass
class Caller:
    """Sends requests and may do anything except `denied`."""

    denied: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    contexts: list[Mapping[str, str]] = field(default_factory=list)
    made: list[str] = field(default_factory=list)

    def call(self, action: str, request: Mapping[str, Any]) -> dict[str, Any]:
        self.made.append(action)
        if action == "DeregisterScalableTarget":
            raise ServiceError("ObjectNotFoundException", "No scalable target found")
        return {"made": action}

    def _refusal(
        self,
        headers: Mapping[str, str],
        action: str,
        resource: str,
        context: Mapping[str, str] | None = None,
    ) -> str | None:
        self.asked.append((action, resource))
        self.contexts.append(context or {})
        return f"not authorized to perform: {action}" if action == self.denied else None

    def send(self, action: str, body: bytes) -> tuple[int, dict[str, Any]]:
        handle = autoscaling_handler(self, self._refusal, "us-east-1", "000000000000")
        sent = {"x-amz-target": f"AnyScaleFrontendService.{action}"}

        async def answered() -> Any:
            return await handle("POST", "/", sent, body, {})

        status, _, content = asyncio.run(answered())
        return status, json.loads(content)


@pytest.mark.parametrize(
    ("action", "more"),
    [
        (
            "RegisterScalableTarget",
            [("sagemaker:DescribeEndpoint", ENDPOINT), ("sagemaker:UpdateEndpointWeightsAndCapacities", ENDPOINT)],
        ),
        ("PutScalingPolicy", [("cloudwatch:PutMetricAlarm", ALARMS)]),
        ("DeleteScalingPolicy", [("cloudwatch:DeleteAlarms", ALARMS)]),
    ],
)  # fmt: skip
def test_a_call_takes_the_permissions_of_what_the_service_does_for_the_caller(
    action: str, more: list[tuple[str, str]]
) -> None:
    caller = Caller()
    assert caller.send(action, json.dumps(REQUEST).encode()) == (200, {"made": action})
    assert caller.asked == [(f"application-autoscaling:{action}", TARGETS), *more]
    assert caller.contexts[0] == {
        "application-autoscaling:service-namespace": "sagemaker",
        "application-autoscaling:scalable-dimension": "sagemaker:variant:DesiredInstanceCount",
    }
    for denied, _ in caller.asked:
        refused = Caller(denied)
        status, answer = refused.send(action, json.dumps(REQUEST).encode())
        assert (status, answer["__type"], refused.made) == (400, "AccessDeniedException", [])


def test_a_list_is_asked_about_no_resource() -> None:
    caller = Caller()
    caller.send("DescribeScalableTargets", b'{"ServiceNamespace": "sagemaker"}')
    assert caller.asked == [("application-autoscaling:DescribeScalableTargets", "*")]


def test_errors_have_their_names() -> None:
    status, answer = Caller().send("DeregisterScalableTarget", json.dumps(REQUEST).encode())
    assert (status, answer["__type"], answer["message"]) == (
        400,
        "ObjectNotFoundException",
        "No scalable target found",
    )
    for body in (b"[]", b"no json"):
        assert Caller().send("PutScalingPolicy", body)[1]["__type"] == "SerializationException"
