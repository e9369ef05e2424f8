"""The steps in which an update moves an endpoint's traffic to its new fleet."""

from __future__ import annotations

from dataclasses import dataclass

from local.sagemaker.kinds import Json

# https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
_ALL_AT_ONCE = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}


@dataclass(frozen=True)
class Step:
    """The new fleet's share of the traffic, and for how long the alarms are watched afterwards."""

    share: float
    seconds: float


def steps_of(deployment: Json, instances: int) -> list[Step]:
    """The steps of a `DeploymentConfig` to a fleet of so many instances; the last one moves everything."""
    policy = deployment.get("BlueGreenUpdatePolicy", {})
    routing = policy.get("TrafficRoutingConfiguration", _ALL_AT_ONCE)
    last = Step(1.0, policy.get("TerminationWaitInSeconds", 0))
    wait = routing["WaitIntervalInSeconds"]
    if routing["Type"] == "CANARY":
        return [Step(share_of(routing["CanarySize"], instances), wait), last]
    if routing["Type"] == "LINEAR":
        size = share_of(routing["LinearStepSize"], instances)
        shares = [size * number for number in range(1, int(1 / size) + 1)]
        return [*(Step(share, wait) for share in shares if share < 1.0), last]
    return [last]


def share_of(size: Json, instances: int) -> float:
    """The part of a fleet that a `CapacitySize` describes."""
    if size["Type"] == "CAPACITY_PERCENT":
        return float(size["Value"]) / 100
    return float(size["Value"]) / max(1, instances)
