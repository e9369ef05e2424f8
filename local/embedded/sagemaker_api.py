"""SageMaker's JSON protocol in front of the local SageMaker."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from local.embedded.iam import (
    READ_ARTIFACT,
    SCALABLE_TARGETS,
    CannotAssume,
    passed_roles,
    read_for_package,
    tag_keys,
    volume_keys,
)
from local.sagemaker import ServiceError

logger = logging.getLogger(__name__)

_NO_DEREGISTER = (
    "An Application AutoScaling scalable target exists for a variant being deleted, and the IAM identity "
    "used to invoke DeleteEndpoint does not have application-autoscaling:DeregisterScalableTarget permission "
    "to deregister the scalable target."
)

Response = tuple[int, dict[str, str], bytes]
Handler = Callable[[str, str, Mapping[str, str], bytes, Mapping[str, Any]], Awaitable[Response]]


class Service(Protocol):
    """The part of the local SageMaker that answers requests."""

    def call(self, action: str, request: dict[str, Any]) -> dict[str, Any]: ...


class Refusal(Protocol):
    """Checks whether the caller of a request may also do something else; returns the reason if not."""

    def __call__(
        self,
        headers: Mapping[str, str],
        action: str,
        resource: str,
        context: Mapping[str, Any] | None = None,
    ) -> str | None: ...


@dataclass(frozen=True)
class Permissions:
    """The checks of a call, besides whether the caller may do it on its resource."""

    resource: Callable[[str, Mapping[str, Any]], str]
    # The further actions and resources that a call needs.
    also_needed: Callable[[str, Mapping[str, Any]], Iterable[tuple[str, str]]]
    refusal: Refusal
    # Creates credentials of a role that a request passes; raises CannotAssume.
    assume: Callable[[str], Any]
    # Whether a role can create a grant on a key, by its ARN, with which SageMaker encrypts a volume.
    may_grant: Callable[[str, str], bool]
    # Whether an object exists in S3, by its ARN.
    exists: Callable[[str], bool]
    # Whether a variant of an endpoint is a scalable target.
    is_scaled: Callable[[str], bool]


def sagemaker_handler(service: Service, permissions: Permissions) -> Handler:
    """An HTTP handler (method, path, headers, body, query) -> (status, headers, body)."""

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]
    ) -> Response:
        action = headers.get("x-amz-target", "").removeprefix("SageMaker.")
        if refused := _refused(service, action, headers, body, permissions):
            return 400, _headers(), _error(*refused)
        # Off the event loop: a call may itself read from the S3 that this loop serves.
        return await asyncio.to_thread(_answer, service, action, body)

    return handle


def _refused(
    service: Service, action: str, headers: Mapping[str, str], body: bytes, permissions: Permissions
) -> tuple[str, str] | None:
    """Code and message if the call is refused."""
    try:
        request = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return "SerializationException", "The request is not JSON."
    if not isinstance(request, dict):
        return "SerializationException", "The request is not a JSON object."
    roles = sorted(set(passed_roles(request))) if action.startswith("Create") else []
    read = list(read_for_package(request)) if action == "CreateModelPackage" else []
    needed = [*read, *permissions.also_needed(action, request)]
    asked: list[tuple[str, str, dict[str, Any]]] = [(*each, {}) for each in needed]
    if action.startswith("Create") and request.get("Tags"):
        asked.append(("sagemaker:AddTags", permissions.resource(action, request), tag_keys(action, request)))
    asked += [("iam:PassRole", role, {"iam:PassedToService": "sagemaker.amazonaws.com"}) for role in roles]
    for question in asked:
        if reason := permissions.refusal(headers, *question):
            return "AccessDeniedException", reason
    if action == "DeleteEndpoint" and _may_not_deregister(request, headers, permissions):
        return "AccessDeniedException", _NO_DEREGISTER
    for role in roles:
        try:
            permissions.assume(role)
        except CannotAssume:
            return (
                "ValidationException",
                f"Could not assume role {role}. Please ensure that the role exists and allows principal "
                "'sagemaker.amazonaws.com' to assume the role.",
            )
    for what, resource in read:
        if what == READ_ARTIFACT and not permissions.exists(resource):
            uri = f"s3://{resource.rpartition(':::')[2]}"
            return "ValidationException", f"Could not find model data at {uri}."
    return _refused_key(service, request, roles, permissions) if action.startswith("Create") else None


def _may_not_deregister(
    request: Mapping[str, Any], headers: Mapping[str, str], permissions: Permissions
) -> bool:
    """Whether scalable targets end with the endpoint, and the caller may not deregister them."""
    if not permissions.is_scaled(str(request.get("EndpointName"))):
        return False
    *_, region, account, _ = permissions.resource("DeleteEndpoint", request).split(":")
    reason = permissions.refusal(
        headers,
        "application-autoscaling:DeregisterScalableTarget",
        SCALABLE_TARGETS.format(region=region, account=account),
        {"application-autoscaling:service-namespace": "sagemaker"},
    )
    return reason is not None


def _refused_key(
    service: Service, request: Mapping[str, Any], roles: list[str], permissions: Permissions
) -> tuple[str, str] | None:
    """The same, for a key of the instances' volumes."""
    for key in sorted(set(volume_keys(request))):
        for role in roles or _role_of_model(service, request):
            if not permissions.may_grant(role, key):
                reason = f"User: {role} is not authorized to perform: kms:CreateGrant on resource: {key}"
                return "AccessDeniedException", reason
    return None


def _role_of_model(service: Service, request: Mapping[str, Any]) -> list[str]:
    """The role of a transform job, which is its model's; none if there is no such model."""
    try:
        return [service.call("DescribeModel", {"ModelName": request.get("ModelName")})["ExecutionRoleArn"]]
    except ServiceError:
        return []


def _answer(service: Service, action: str, body: bytes) -> Response:
    try:
        return 200, _headers(), json.dumps(service.call(action, json.loads(body or b"{}"))).encode()
    except ServiceError as error:
        return error.status, _headers(), _error(error.code, error.message)
    except Exception:
        logger.exception("SageMaker %s failed", action)
        return (
            500,
            _headers(),
            _error("InternalFailure", f"{action} failed inside the local SageMaker; see its log."),
        )


def _headers() -> dict[str, str]:
    # A new dict each time: the emulator adds the response's length to it.
    return {"Content-Type": "application/x-amz-json-1.1"}


def _error(code: str, message: str) -> bytes:
    return json.dumps({"__type": code, "message": message}).encode()
