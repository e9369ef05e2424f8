"""Application Auto Scaling's JSON protocol in front of the local SageMaker, which keeps the targets.

The caller also needs the permissions of the calls that the service makes on the caller's behalf:
https://docs.aws.amazon.com/autoscaling/application/userguide/security_iam_id-based-policy-examples.html
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from local.embedded.iam import SCALABLE_TARGETS
from local.embedded.sagemaker_api import Handler, Refusal
from local.sagemaker import ServiceError

Response = tuple[int, dict[str, str], bytes]
Question = tuple[str, str, dict[str, str]]

TARGET_PREFIX = "AnyScaleFrontendService."
_ON_TARGETS = frozenset(
    {"RegisterScalableTarget", "DeregisterScalableTarget", "PutScalingPolicy", "DeleteScalingPolicy"}
)
_ALARMS = {"PutScalingPolicy": "PutMetricAlarm", "DeleteScalingPolicy": "DeleteAlarms"}
_ENDPOINT_ACTIONS = ("DescribeEndpoint", "UpdateEndpointWeightsAndCapacities")


class Autoscaling(Protocol):
    """The part of the local SageMaker that answers."""

    def call(self, action: str, request: Mapping[str, Any]) -> dict[str, Any]: ...


def autoscaling_handler(service: Autoscaling, refusal: Refusal, region: str, account: str) -> Handler:
    """An HTTP handler; `refusal` checks the caller's permissions, all of them."""

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]
    ) -> Response:
        action = headers.get("x-amz-target", "").removeprefix(TARGET_PREFIX)
        try:
            request = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            request = None
        if not isinstance(request, dict):
            return _error(ServiceError("SerializationException", "The request is not a JSON object."))
        for question in _questions(action, request, region, account):
            if reason := refusal(headers, *question):
                return _error(ServiceError("AccessDeniedException", reason))
        try:
            return 200, _headers(), json.dumps(service.call(action, request)).encode()
        except ServiceError as error:
            return _error(error)

    return handle


def _questions(action: str, request: Mapping[str, Any], region: str, account: str) -> Iterator[Question]:
    """Action, resource and context of each permission that a call needs."""
    place = f"{region}:{account}"
    known = {"service-namespace": "ServiceNamespace", "scalable-dimension": "ScalableDimension"}
    context = {
        f"application-autoscaling:{key}": str(request[name]) for key, name in known.items() if name in request
    }
    targets = SCALABLE_TARGETS.format(region=region, account=account)
    yield f"application-autoscaling:{action}", targets if action in _ON_TARGETS else "*", context
    if action == "RegisterScalableTarget":
        endpoint = str(request.get("ResourceId", "")).split("/")[1:2]
        for needed in _ENDPOINT_ACTIONS:
            yield f"sagemaker:{needed}", f"arn:aws:sagemaker:{place}:endpoint/{''.join(endpoint).lower()}", {}
    if action in _ALARMS and request.get("PolicyType") != "StepScaling":
        yield f"cloudwatch:{_ALARMS[action]}", f"arn:aws:cloudwatch:{place}:alarm:TargetTracking-*", {}


def _headers() -> dict[str, str]:
    # A new dict each time: the emulator adds the response's length to it.
    return {"Content-Type": "application/x-amz-json-1.1"}


def _error(error: ServiceError) -> Response:
    content = {"__type": error.code, "message": error.message, "Message": error.message}
    return error.status, _headers(), json.dumps(content).encode()
