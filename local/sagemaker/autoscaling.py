"""Application Auto Scaling for endpoints: its actions are checked and recorded; nothing scales by itself."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from botocore.model import ServiceModel

from local.sagemaker import models
from local.sagemaker.errors import ServiceError, invalid, unsupported
from local.sagemaker.kinds import ENDPOINT, ENDPOINT_CONFIG, Json
from local.sagemaker.listing import paginate
from local.sagemaker.store import Store
from local.sagemaker.validation import check_shape

INSTANCES = "sagemaker:variant:DesiredInstanceCount"
_RESOURCE = re.compile(r"endpoint/(?P<endpoint>[^/]+)/variant/(?P<variant>[^/]+)")
_PAGE = 50
# Service namespace, resource and dimension of a scalable target.
Key = tuple[str, str, str]


def autoscaling_model() -> ServiceModel:
    """The service's API as botocore knows it."""
    return models.service_model("application-autoscaling")


class Autoscaling:
    """The scalable targets of variants, and their policies. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._targets: dict[Key, Json] = {}
        self._policies: dict[tuple[Key, str], Json] = {}
        self._actions: Mapping[str, Callable[[Json], Json]] = {
            "RegisterScalableTarget": self._register,
            "DeregisterScalableTarget": self._deregister,
            "DescribeScalableTargets": self._describe_targets,
            "PutScalingPolicy": self._put_policy,
            "DescribeScalingPolicies": self._describe_policies,
            "DeleteScalingPolicy": self._delete_policy,
        }

    def call(self, action: str, request: Mapping[str, Any]) -> Json:
        """Answer one request. Raises `ServiceError`."""
        answer = self._actions.get(action)
        if answer is None:
            raise ServiceError("UnknownOperationException", f"{action} is not served by the local SageMaker.")
        checked = check_shape(autoscaling_model().operation_model(action).input_shape, request)
        if checked["ServiceNamespace"] != "sagemaker":
            raise unsupported(f"ServiceNamespace {checked['ServiceNamespace']} is")
        with self._store.lock:
            return answer(checked)

    def has_targets(self, endpoint: str) -> bool:
        """Whether a variant of an endpoint is a scalable target."""
        return any(_endpoint_of(key) == endpoint.lower() for key in self._targets)

    def forget(self, endpoint: str) -> None:
        """Deregister the variants of an endpoint that is deleted."""
        for key in [key for key in self._targets if _endpoint_of(key) == endpoint.lower()]:
            self._remove(key)

    def _register(self, request: Json) -> Json:
        key = _key(request)
        self._check_variant(request)
        before = self._targets.get(key, {})
        limits: Json = {name: request.get(name, before.get(name)) for name in ("MinCapacity", "MaxCapacity")}
        for name, value in limits.items():
            if value is None:
                raise invalid(f"{name} is required for a new scalable target.")
        if limits["MaxCapacity"] < limits["MinCapacity"]:
            raise invalid("Maximum capacity cannot be less than minimum capacity")
        arn = f"arn:aws:application-autoscaling:{self._place}:scalable-target/{uuid.uuid4().hex}"
        suspended = {
            f"{each}Suspended": False
            for each in ("DynamicScalingIn", "DynamicScalingOut", "ScheduledScaling")
        }
        self._targets[key] = {
            "CreationTime": time.time(),
            "ScalableTargetARN": arn,
            "RoleARN": self._service_role,
            **before,
            **_named(key),
            **limits,
            "SuspendedState": suspended
            | before.get("SuspendedState", {})
            | request.get("SuspendedState", {}),
        }
        return {"ScalableTargetARN": self._targets[key]["ScalableTargetARN"]}

    @property
    def _place(self) -> str:
        return f"{self._store.region}:{self._store.account_id}"

    @property
    def _service_role(self) -> str:
        name = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
        path = "aws-service-role/sagemaker.application-autoscaling.amazonaws.com"
        return f"arn:aws:iam::{self._store.account_id}:role/{path}/{name}"

    def _check_variant(self, request: Json) -> None:
        named = _RESOURCE.fullmatch(request["ResourceId"])
        if named is None:
            raise invalid(f"Invalid resource ID {request['ResourceId']}: use endpoint/NAME/variant/VARIANT.")
        if request["ScalableDimension"] != INSTANCES:
            raise unsupported(f"ScalableDimension {request['ScalableDimension']} is")
        endpoint = self._store.get(ENDPOINT, named["endpoint"])
        config = self._store.get(ENDPOINT_CONFIG, endpoint.fields["EndpointConfigName"])
        variants = {each["VariantName"]: each for each in config.fields["ProductionVariants"]}
        variant = variants.get(named["variant"])
        if variant is None or endpoint.name != named["endpoint"]:
            raise invalid(f'Could not find variant "{named["variant"]}" of endpoint "{endpoint.arn}".')
        instance_type = variant.get("InstanceType")
        if instance_type is None:
            raise invalid(f"{INSTANCES} is not supported for the serverless variant {named['variant']}.")
        if instance_type.startswith("ml.t"):
            raise invalid(
                f"You cannot register a variant with {instance_type} instance type as a scalable target. "
                "This is because the burstable performance of these instances can lead to unpredictable "
                "behavior with Auto Scaling."
            )

    def _deregister(self, request: Json) -> Json:
        key = _key(request)
        if key not in self._targets:
            raise _missing("No scalable target found for service namespace", key)
        self._remove(key)
        return {}

    def _remove(self, key: Key) -> None:
        del self._targets[key]
        for policy in [policy for policy in self._policies if policy[0] == key]:
            del self._policies[policy]

    def _describe_targets(self, request: Json) -> Json:
        found = [
            target
            for target in self._targets.values()
            if _wanted(target, request)
            and ("ResourceIds" not in request or target["ResourceId"] in request["ResourceIds"])
        ]
        page, token = paginate(found, request, _PAGE, lambda target: str(target["ScalableTargetARN"]))
        return {"ScalableTargets": page} | ({"NextToken": token} if token else {})

    def _put_policy(self, request: Json) -> Json:
        key = _key(request)
        if key not in self._targets:
            raise _missing("No scalable target registered for service namespace", key)
        kind = request.get("PolicyType", "StepScaling")
        configuration = f"{kind}PolicyConfiguration"
        if configuration not in request:
            raise invalid(f"{configuration} is required for policy type {kind}.")
        name = request["PolicyName"]
        before = self._policies.get((key, name), {})
        arn = (
            f"arn:aws:autoscaling:{self._place}:scalingPolicy:{uuid.uuid4()}:"
            f"resource/sagemaker/{key[1]}:policyName/{name}"
        )
        self._policies[key, name] = {
            "PolicyARN": arn,
            "CreationTime": time.time(),
            **before,
            **_named(key),
            "PolicyName": name,
            "PolicyType": kind,
            configuration: request[configuration],
            "Alarms": [],
        }
        return {"PolicyARN": self._policies[key, name]["PolicyARN"], "Alarms": []}

    def _describe_policies(self, request: Json) -> Json:
        found = [
            policy
            for policy in self._policies.values()
            if _wanted(policy, request)
            and request.get("ResourceId", policy["ResourceId"]) == policy["ResourceId"]
            and ("PolicyNames" not in request or policy["PolicyName"] in request["PolicyNames"])
        ]
        page, token = paginate(found, request, _PAGE, lambda policy: str(policy["PolicyARN"]))
        return {"ScalingPolicies": page} | ({"NextToken": token} if token else {})

    def _delete_policy(self, request: Json) -> Json:
        key = _key(request)
        if self._policies.pop((key, request["PolicyName"]), None) is None:
            raise _missing("No scaling policy found for service namespace", key, request["PolicyName"])
        return {}


def _key(request: Json) -> Key:
    return request["ServiceNamespace"], request["ResourceId"], request["ScalableDimension"]


def _named(key: Key) -> Json:
    return dict(zip(("ServiceNamespace", "ResourceId", "ScalableDimension"), key, strict=True))


def _wanted(item: Json, request: Json) -> bool:
    return bool(request.get("ScalableDimension", item["ScalableDimension"]) == item["ScalableDimension"])


def _endpoint_of(key: Key) -> str:
    named = _RESOURCE.fullmatch(key[1])
    return named["endpoint"].lower() if named else ""


def _missing(what: str, key: Key, policy: str = "") -> ServiceError:
    namespace, resource, dimension = key
    message = f"{what}: {namespace}, resource ID: {resource}, scalable dimension: {dimension}"
    return ServiceError("ObjectNotFoundException", message + (f": {policy}" if policy else ""))
