"""Scalable targets and scaling policies of endpoints."""

from typing import Any

import pytest

from local.sagemaker import SageMaker, ServiceError
from tests.unit.sagemaker.endpoints import INSTANCES, SERVERLESS, Hosting
from tests.unit.sagemaker.fakes import FakeAws, FakeWorkers

pytestmark = pytest.mark.enable_socket

Json = dict[str, Any]
TARGET: Json = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/Cars/variant/blue",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
NAMED = (
    "service namespace: sagemaker, resource ID: endpoint/Cars/variant/blue, "
    "scalable dimension: sagemaker:variant:DesiredInstanceCount"
)
LIMITS: Json = {"MinCapacity": 1, "MaxCapacity": 3}
POLICY: Json = {
    **TARGET,
    "PolicyName": "invocations",
    "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": {
        "TargetValue": 100.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    },
}


@pytest.fixture
def hosting(sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers) -> Hosting:
    hosting = Hosting(sagemaker, aws, workers)
    hosting.configure("first", INSTANCES)
    hosting.create()
    return hosting


def refused(hosting: Hosting, action: str, request: Json) -> tuple[str, str]:
    with pytest.raises(ServiceError) as error:
        hosting.sagemaker.autoscaling.call(action, request)
    return error.value.code, error.value.message


def described(hosting: Hosting, what: str) -> Any:
    return hosting.sagemaker.autoscaling.call(f"Describe{what}", {"ServiceNamespace": "sagemaker"})[what]


def test_a_target_and_its_policy_are_kept_until_they_are_removed(hosting: Hosting) -> None:
    call = hosting.sagemaker.autoscaling.call
    arn = call("RegisterScalableTarget", TARGET | LIMITS)["ScalableTargetARN"]
    policy = call("PutScalingPolicy", POLICY)["PolicyARN"]
    assert call("RegisterScalableTarget", {**TARGET, "MaxCapacity": 5})["ScalableTargetARN"] == arn
    assert call("PutScalingPolicy", POLICY)["PolicyARN"] == policy

    (target,) = described(hosting, "ScalableTargets")
    assert target.items() >= {**TARGET, "MinCapacity": 1, "MaxCapacity": 5}.items()
    (kept,) = described(hosting, "ScalingPolicies")
    assert kept.items() >= POLICY.items()
    call("DeleteScalingPolicy", {**TARGET, "PolicyName": "invocations"})
    assert described(hosting, "ScalingPolicies") == []
    call("DeregisterScalableTarget", TARGET)
    assert described(hosting, "ScalableTargets") == []


def test_targets_end_with_their_endpoint(hosting: Hosting) -> None:
    hosting.sagemaker.autoscaling.call("RegisterScalableTarget", TARGET | LIMITS)
    hosting.sagemaker.autoscaling.call("PutScalingPolicy", POLICY)
    assert hosting.sagemaker.autoscaling.has_targets("CARS")
    hosting.sagemaker.call("DeleteEndpoint", {"EndpointName": "Cars"})

    assert described(hosting, "ScalableTargets") == described(hosting, "ScalingPolicies") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ResourceId": "endpoint/None/variant/blue"}, "Could not find endpoint"),
        ({"ResourceId": "endpoint/Cars/variant/red"}, 'Could not find variant "red" of endpoint'),
        ({"ResourceId": "Cars"}, "Invalid resource ID"),
        ({"MaxCapacity": 0}, "Maximum capacity cannot be less than minimum capacity"),
        ({"MaxCapacity": None}, "MaxCapacity is required"),
        ({"ServiceNamespace": "ecs"}, "ServiceNamespace ecs is not supported"),
        ({"ScalableDimension": "sagemaker:variant:DesiredProvisionedConcurrency"}, "is not supported"),
        ({"MinCapacity": "1"}, "can not be converted to an Integer"),
    ],
)
def test_what_cannot_be_scaled_is_refused(hosting: Hosting, change: Json, message: str) -> None:
    code, said = refused(hosting, "RegisterScalableTarget", {**TARGET, **LIMITS, **change})
    assert code in ("ValidationException", "SerializationException")
    assert message in said


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ({**INSTANCES, "InstanceType": "ml.t2.medium"}, "This is because the burstable performance of these"),
        (SERVERLESS, "is not supported for the serverless variant blue"),
    ],
)
def test_only_instances_with_steady_performance_scale(hosting: Hosting, variant: Json, message: str) -> None:
    hosting.configure("second", variant)
    hosting.create("Other", "second")
    request = {**TARGET, **LIMITS, "ResourceId": "endpoint/Other/variant/blue"}
    assert message in refused(hosting, "RegisterScalableTarget", request)[1]


def test_what_does_not_exist_is_not_found(hosting: Hosting) -> None:
    missing = "ObjectNotFoundException"
    registered = (missing, f"No scalable target registered for {NAMED}")
    assert refused(hosting, "PutScalingPolicy", POLICY) == registered
    found = (missing, f"No scalable target found for {NAMED}")
    assert refused(hosting, "DeregisterScalableTarget", TARGET) == found
    policy = (missing, f"No scaling policy found for {NAMED}: up")
    assert refused(hosting, "DeleteScalingPolicy", {**TARGET, "PolicyName": "up"}) == policy
    assert refused(hosting, "ListTagsForResource", {})[0] == "UnknownOperationException"
