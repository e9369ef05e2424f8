"""Endpoints and their configurations."""

from __future__ import annotations

from local.sagemaker.errors import invalid, unsupported
from local.sagemaker.kinds import ENDPOINT_CONFIG, MODEL, Json
from local.sagemaker.rules.common import MOST_INSTANCES, no_two, refuse
from local.sagemaker.store import Store


def config_rules(request: Json, store: Store) -> None:
    """CreateEndpointConfig."""
    variants = request["ProductionVariants"]
    no_two("VariantName", (variant["VariantName"] for variant in variants))
    serverless = any("ServerlessConfig" in variant for variant in variants)
    refuse(
        serverless and len(variants) > 1,
        invalid("Multiple production variants are not supported for Serverless Inference"),
    )
    refuse(
        serverless and "DataCaptureConfig" in request,
        invalid("Data capture is not supported for Serverless Inference"),
    )
    refuse(
        serverless and "KmsKeyId" in request, invalid("KMS keys are not supported for Serverless Inference")
    )
    for variant in variants:
        refuse("ModelName" not in variant, unsupported("A production variant without ModelName is"))
        model = store.get(MODEL, variant["ModelName"])
        (_serverless if "ServerlessConfig" in variant else _instances)(variant, model.fields)


def _serverless(variant: Json, model: Json) -> None:
    name, config = variant["VariantName"], variant["ServerlessConfig"]
    both = [each for each in ("InstanceType", "InitialInstanceCount") if each in variant]
    refuse(
        both,
        invalid(
            f"{' and '.join(both)} cannot be specified with ServerlessConfig in production variant {name}."
        ),
    )
    refuse(
        config["MemorySizeInMB"] % 1024,
        invalid(
            f"MemorySizeInMB {config['MemorySizeInMB']} is invalid. Valid values are 1024, 2048, 3072, 4096, "
            "5120 and 6144."
        ),
    )
    refuse(
        config.get("ProvisionedConcurrency", 0) > config["MaxConcurrency"],
        invalid("ProvisionedConcurrency must be less than or equal to MaxConcurrency."),
    )
    refuse(
        model.get("EnableNetworkIsolation"),
        invalid("Network isolation is not supported for Serverless Inference"),
    )


def _instances(variant: Json, model: Json) -> None:
    for each in ("InstanceType", "InitialInstanceCount"):
        refuse(
            each not in variant,
            invalid(f"{each} is required for production variant {variant['VariantName']}."),
        )
    _count(variant["InitialInstanceCount"])


def _count(instances: int) -> None:
    refuse(
        instances > MOST_INSTANCES,
        unsupported(f"More than {MOST_INSTANCES} instances of a production variant are"),
    )


def weights_rules(request: Json, store: Store) -> None:
    """UpdateEndpointWeightsAndCapacities."""
    for each in request["DesiredWeightsAndCapacities"]:
        count = each.get("DesiredInstanceCount", 1)
        refuse(not count, invalid("DesiredInstanceCount must be greater than or equal to 1."))
        _count(count)


def update_rules(request: Json, store: Store) -> None:
    """UpdateEndpoint, and the deployment that CreateEndpoint has for later updates."""
    config = store.get(ENDPOINT_CONFIG, request["EndpointConfigName"]).fields
    refuse(
        "DeploymentConfig" in request and request.get("RetainDeploymentConfig"),
        invalid("DeploymentConfig and RetainDeploymentConfig cannot be specified together."),
    )
    policy = request.get("DeploymentConfig", {}).get("BlueGreenUpdatePolicy", {})
    routing = policy.get("TrafficRoutingConfiguration", {"Type": "ALL_AT_ONCE"})
    for kind, member in (("CANARY", "CanarySize"), ("LINEAR", "LinearStepSize")):
        given = member in routing
        refuse(
            given != (routing["Type"] == kind),
            invalid(f"{member} must be specified for traffic routing type {kind}, and for no other."),
        )
        if given:
            _step(member, routing[member], config)
    waits = routing.get("WaitIntervalInSeconds", 0) + policy.get("TerminationWaitInSeconds", 0)
    limit = policy.get("MaximumExecutionTimeoutInSeconds")
    refuse(
        limit is not None and waits > limit,
        invalid("MaximumExecutionTimeoutInSeconds must be larger than the sum of the waiting times."),
    )


def _step(member: str, size: Json, config: Json) -> None:
    """A step moves at most half of the instances, and a linear one at least a tenth."""
    counts = [variant.get("InitialInstanceCount") for variant in config["ProductionVariants"]]
    refuse(None in counts, invalid(f"{member} is not supported for Serverless Inference"))
    least = min(count for count in counts if count)
    value = size["Value"]
    percent = value if size["Type"] == "CAPACITY_PERCENT" else 100 * value / least
    instances = value if size["Type"] == "INSTANCE_COUNT" else value * least / 100
    refuse(
        percent > 50 or instances < 1,
        invalid(
            f"{member} must be at least one instance, and less than or equal to 50% of the total instance "
            "count of each production variant."
        ),
    )
    refuse(
        member == "LinearStepSize" and percent < 10,
        invalid("LinearStepSize must be 10-50% of the total instance count of each production variant."),
    )
