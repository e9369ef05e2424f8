"""Updates of endpoints: traffic moves in steps, and back when something is wrong."""

import threading
from typing import Any

import pytest

from local.sagemaker import SageMaker, ServiceError
from local.sagemaker.endpoints import deployments
from local.sagemaker.endpoints.shifting import Step, steps_of
from tests.conftest import eventually
from tests.unit.sagemaker.endpoints import INSTANCES, SERVERLESS, Hosting, archive
from tests.unit.sagemaker.fakes import FakeAws, FakeWorkers, Running
from tests.unit.sagemaker.requests import MODEL

pytestmark = pytest.mark.enable_socket

Json = dict[str, Any]
FOUR = {**INSTANCES, "InitialInstanceCount": 4}
HALF = {"Type": "CAPACITY_PERCENT", "Value": 50}
ALARMS = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "too-many-errors"}]}}


def blue_green(kind: str = "ALL_AT_ONCE", wait: int = 0, termination: int = 0, **size: Json) -> Json:
    routing = {"Type": kind, "WaitIntervalInSeconds": wait, **size}
    policy = {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": termination}
    return {"BlueGreenUpdatePolicy": policy}


def canary(wait: int = 0, termination: int = 0, **size: Any) -> Json:
    return blue_green("CANARY", wait, termination, CanarySize=size or {"Type": "INSTANCE_COUNT", "Value": 1})


@pytest.fixture
def hosting(
    sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers, monkeypatch: pytest.MonkeyPatch
) -> Hosting:
    """An endpoint of two instances, and a second configuration with another model."""
    monkeypatch.setattr(deployments, "_LOOK_SECONDS", 0.01)
    hosting = Hosting(sagemaker, aws, workers)
    aws.s3.put("s3://bucket/models/second.tar.gz", archive(content=b"bushes"))
    container = {**MODEL["PrimaryContainer"], "ModelDataUrl": "s3://bucket/models/second.tar.gz"}
    sagemaker.call("CreateModel", {**MODEL, "ModelName": "second", "PrimaryContainer": container})
    hosting.configure("first", {**INSTANCES, "InitialInstanceCount": 2})
    hosting.configure("second", {**INSTANCES, "InitialInstanceCount": 2, "ModelName": "second"})
    hosting.create()
    return hosting


def test_an_update_replaces_the_containers_while_the_endpoint_answers(hosting: Hosting) -> None:
    hosting.open.clear()
    hosting.update("second")

    described = hosting.describe()
    assert described["EndpointStatus"] == "Updating"
    assert described["EndpointConfigName"] == "first"
    assert described["PendingDeploymentSummary"]["EndpointConfigName"] == "second"
    assert hosting.ask() == b"trees 1"
    with pytest.raises(ServiceError, match="Cannot update in-progress endpoint"):
        hosting.update("second")
    hosting.open.set()
    settled = hosting.settled()
    assert (settled["EndpointStatus"], settled["EndpointConfigName"]) == ("InService", "second")
    assert "PendingDeploymentSummary" not in settled
    assert hosting.ask() == b"bushes 1"
    eventually(lambda: len(running(hosting)) == 2)


def running(hosting: Hosting) -> list[Running]:
    """The containers that have not ended."""
    return [each for each in hosting.workers.processes if each.connection and each.connection.fileno() >= 0]


def test_a_container_that_never_gets_healthy_leaves_what_was_live(hosting: Hosting) -> None:
    hosting.healthy = False
    hosting.update("second")
    settled = hosting.settled()

    assert (settled["EndpointStatus"], settled["EndpointConfigName"]) == ("InService", "first")
    assert "did not pass the ping health check" in settled["FailureReason"]
    assert hosting.ask() == b"trees 1"
    hosting.healthy = True
    hosting.update("second")
    assert "FailureReason" not in hosting.settled()


def test_an_alarm_moves_the_traffic_back(hosting: Hosting) -> None:
    hosting.aws.alarms.states["too-many-errors"] = "OK"
    hosting.update("second", DeploymentConfig=canary(3600) | ALARMS)
    eventually(lambda: {hosting.ask() for _ in range(20)} == {b"trees 1", b"bushes 1"})
    hosting.aws.alarms.states["too-many-errors"] = "ALARM"
    settled = hosting.settled()

    assert (settled["EndpointStatus"], settled["EndpointConfigName"]) == ("InService", "first")
    assert settled["FailureReason"] == "One or more alarms are in state ALARM: too-many-errors."
    assert {hosting.ask() for _ in range(20)} == {b"trees 1"}
    hosting.sagemaker.close()
    statuses = [entry["Detail"].partition('"EndpointStatus": "')[2] for entry in hosting.aws.events.entries]
    assert [status.partition('"')[0] for status in statuses if status] == [
        "CREATING",
        "IN_SERVICE",
        "UPDATING",
        "ROLLING_BACK",
        "IN_SERVICE",
    ]


def test_a_canary_takes_the_rest_after_its_time(hosting: Hosting) -> None:
    hosting.aws.alarms.states["too-many-errors"] = "OK"
    hosting.update("second", DeploymentConfig=canary() | ALARMS)
    settled = hosting.settled()

    assert settled["EndpointConfigName"] == "second"
    assert settled["LastDeploymentConfig"] == canary() | ALARMS
    assert {hosting.ask() for _ in range(20)} == {b"bushes 1"}


def test_a_canary_waits_so_much_of_its_time_as_is_asked_for(
    hosting: Hosting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosting.sagemaker._endpoints._deployments, "_wait_scale", 0.0)
    hosting.update("second", DeploymentConfig=canary(3600))
    assert hosting.settled()["EndpointConfigName"] == "second"


@pytest.mark.parametrize(
    ("deployment", "steps"),
    [
        ({}, [Step(1.0, 0)]),
        (blue_green(termination=5), [Step(1.0, 5)]),
        (canary(7, 5), [Step(0.25, 7), Step(1.0, 5)]),
        (canary(7, Type="CAPACITY_PERCENT", Value=50), [Step(0.5, 7), Step(1.0, 0)]),
        (
            blue_green("LINEAR", 3, LinearStepSize={"Type": "CAPACITY_PERCENT", "Value": 33}),
            [Step(0.33, 3), Step(0.66, 3), Step(0.99, 3), Step(1.0, 0)],
        ),
        (
            blue_green("LINEAR", 3, LinearStepSize={"Type": "INSTANCE_COUNT", "Value": 2}),
            [Step(0.5, 3), Step(1.0, 0)],
        ),
    ],
)
def test_a_deployment_moves_traffic_in_these_steps(deployment: Json, steps: list[Step]) -> None:
    assert steps_of(deployment, 4) == steps


@pytest.mark.parametrize(
    ("deployment", "message"),
    [
        (canary(Type="INSTANCE_COUNT", Value=3), "less than or equal to 50%"),
        (canary(Type="CAPACITY_PERCENT", Value=51), "less than or equal to 50%"),
        (canary(Type="CAPACITY_PERCENT", Value=20), "at least one instance"),
        (blue_green("CANARY"), "CanarySize must be specified"),
        (blue_green("LINEAR", LinearStepSize={"Type": "CAPACITY_PERCENT", "Value": 5}), "at least one"),
        (blue_green(CanarySize={"Type": "INSTANCE_COUNT", "Value": 1}), "CanarySize must be specified"),
        (
            {"RollingUpdatePolicy": {"WaitIntervalInSeconds": 1, "MaximumBatchSize": HALF}},
            "RollingUpdatePolicy is not supported",
        ),
        (
            {
                "BlueGreenUpdatePolicy": blue_green("ALL_AT_ONCE", 0, 700)["BlueGreenUpdatePolicy"]
                | {"MaximumExecutionTimeoutInSeconds": 600}
            },
            "must be larger than the sum",
        ),
    ],
)
def test_a_deployment_that_cannot_work_is_refused(hosting: Hosting, deployment: Json, message: str) -> None:
    hosting.configure("four", FOUR)
    with pytest.raises(ServiceError) as error:
        hosting.update("four", DeploymentConfig=deployment)
    assert message in error.value.message
    assert hosting.describe()["EndpointStatus"] == "InService"


def test_one_instance_is_too_few_for_a_canary(hosting: Hosting) -> None:
    hosting.configure("one", INSTANCES)
    with pytest.raises(ServiceError, match="50%"):
        hosting.update("one", DeploymentConfig=canary())


def test_an_instance_endpoint_cannot_become_serverless_but_the_other_way_round(hosting: Hosting) -> None:
    hosting.configure("serverless", SERVERLESS)
    with pytest.raises(ServiceError, match="to a serverless endpoint: it is an instance-based endpoint"):
        hosting.update("serverless")
    hosting.create("Serverless", "serverless")
    hosting.update("first", "Serverless")
    (variant,) = hosting.settled("Serverless")["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == 2


def test_properties_of_variants_are_retained_if_asked_for(hosting: Hosting) -> None:
    wanted = [{"VariantName": "blue", "DesiredWeight": 0.5, "DesiredInstanceCount": 1}]
    request = {"EndpointName": "Cars", "DesiredWeightsAndCapacities": wanted}
    hosting.sagemaker.call("UpdateEndpointWeightsAndCapacities", request)
    hosting.settled()
    excluded = [{"VariantPropertyType": "DesiredWeight"}]
    hosting.update("second", RetainAllVariantProperties=True, ExcludeRetainedVariantProperties=excluded)

    (variant,) = hosting.settled()["ProductionVariants"]
    assert (variant["CurrentInstanceCount"], variant["CurrentWeight"]) == (1, 1.0)


def test_a_request_that_is_being_answered_survives_the_update(hosting: Hosting) -> None:
    entered, leave = threading.Event(), threading.Event()

    def wait(running: Any, body: bytes) -> tuple[int, bytes]:
        entered.set()
        leave.wait(10)
        return 200, b"old"

    before, hosting.serve = hosting.serve, wait
    answers: list[bytes] = []
    thread = threading.Thread(target=lambda: answers.append(hosting.ask()))
    thread.start()
    entered.wait(10)
    hosting.serve = before
    hosting.update("second")
    hosting.settled()
    leave.set()
    thread.join()

    assert answers == [b"old"]
