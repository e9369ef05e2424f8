"""Endpoints from their creation to their end."""

import json
import threading
from typing import Any

import pytest

from local.sagemaker import Invocation, SageMaker, ServiceError
from tests.conftest import eventually
from tests.unit.sagemaker.endpoints import INSTANCES, SERVERLESS, Hosting
from tests.unit.sagemaker.fakes import FakeAws, FakeWorkers, Running

pytestmark = pytest.mark.enable_socket

ARN = "arn:aws:sagemaker:us-east-1:000000000000:endpoint/cars"
IN_PROGRESS = f'Cannot update in-progress endpoint "{ARN}".'
NOT_FOUND = "Endpoint Cars of account 000000000000 not found."


@pytest.fixture
def hosting(sagemaker: SageMaker, aws: FakeAws, workers: FakeWorkers) -> Hosting:
    return Hosting(sagemaker, aws, workers)


def refused(hosting: Hosting, action: str, **request: Any) -> str:
    with pytest.raises(ServiceError) as error:
        hosting.sagemaker.call(action, {"EndpointName": "Cars", **request})
    assert error.value.code == "ValidationException"
    return error.value.message


def test_an_endpoint_answers_with_its_model_until_it_is_deleted(hosting: Hosting) -> None:
    hosting.configure()
    described = hosting.create()

    assert described["EndpointStatus"] == "InService"
    assert described["EndpointArn"] == ARN
    (variant,) = described["ProductionVariants"]
    (image,) = variant.pop("DeployedImages")
    assert image["ResolvedImage"].startswith(image["SpecifiedImage"].rpartition(":")[0] + "@sha256:")
    assert variant == {
        "VariantName": "blue",
        "CurrentWeight": 1.0,
        "DesiredWeight": 1.0,
        "CurrentInstanceCount": 1,
        "DesiredInstanceCount": 1,
    }
    assert hosting.ask(b"1,2") == b"trees 1,2"

    hosting.sagemaker.call("DeleteEndpoint", {"EndpointName": "cars"})
    gone = f'Could not find endpoint "{ARN}".'
    eventually(lambda: refused_or_none(hosting) == gone)
    with pytest.raises(ServiceError, match="not found"):
        hosting.ask()
    assert not any(path.name.startswith("endpoint-") for path in hosting.sagemaker._backend.folder.iterdir())


def refused_or_none(hosting: Hosting) -> str:
    try:
        hosting.describe()
    except ServiceError as error:
        return error.message
    return ""


def test_while_it_is_created_it_cannot_be_changed_nor_invoked(hosting: Hosting) -> None:
    hosting.open.clear()
    hosting.configure()
    request = {"EndpointName": "Cars", "EndpointConfigName": "first"}
    hosting.sagemaker.call("CreateEndpoint", request)

    assert hosting.describe()["EndpointStatus"] == "Creating"
    assert refused(hosting, "UpdateEndpoint", EndpointConfigName="first") == IN_PROGRESS
    assert refused(hosting, "DeleteEndpoint") == IN_PROGRESS
    exists = f'Cannot create already existing endpoint "{ARN}".'
    assert refused(hosting, "CreateEndpoint", **request | {"EndpointName": "CARS"}) == exists
    with pytest.raises(ServiceError, match=NOT_FOUND):
        hosting.ask()
    hosting.open.set()
    assert hosting.settled()["EndpointStatus"] == "InService"


def test_only_an_invocation_needs_the_case_of_the_name(hosting: Hosting) -> None:
    hosting.configure()
    hosting.create()

    assert hosting.describe("CARS")["EndpointName"] == "Cars"
    with pytest.raises(ServiceError, match="Endpoint cars of account"):
        hosting.ask(name="cars")


def test_a_container_that_never_gets_healthy_fails_the_creation(hosting: Hosting) -> None:
    hosting.healthy = False
    hosting.configure()
    described = hosting.create()

    assert described["EndpointStatus"] == "Failed"
    assert described["FailureReason"] == (
        "The primary container for production variant blue did not pass the ping health check. "
        "Please check CloudWatch logs for this endpoint."
    )
    with pytest.raises(ServiceError, match=NOT_FOUND):
        hosting.ask()
    message = refused(hosting, "UpdateEndpoint", EndpointConfigName="first")
    assert message == f'Cannot update endpoint "{ARN}" in status Failed.'
    hosting.sagemaker.call("DeleteEndpoint", {"EndpointName": "Cars"})
    assert "no such file: weights" in hosting.logged()
    (group, stream), *_ = hosting.aws.logs.lines
    assert group == "/aws/sagemaker/Endpoints/Cars"
    assert stream.startswith("blue/i-")


def test_a_role_that_cannot_read_the_model_fails_the_creation(hosting: Hosting) -> None:
    hosting.aws.s3.objects.clear()
    hosting.configure()
    reason = hosting.create()["FailureReason"]

    assert reason == (
        'Failed to download model data for container "container_1" from URL: '
        '"s3://bucket/models/model.tar.gz". Please ensure that there is an object located at the URL and '
        "that the role passed to CreateModel has permissions to download the object."
    )


def test_a_container_that_dies_is_started_again(hosting: Hosting) -> None:
    def die(running: Running, body: bytes) -> tuple[int, bytes]:
        hosting.serve = lambda running, body: (200, b"alive")
        raise ChildProcessError

    hosting.serve = die
    hosting.configure()
    hosting.create()

    with pytest.raises(ServiceError) as error:
        hosting.ask()
    assert error.value.details["OriginalStatusCode"] == 502
    assert hosting.ask() == b"alive"
    assert hosting.describe()["EndpointStatus"] == "InService"


def test_a_model_that_was_deleted_still_answers(hosting: Hosting) -> None:
    hosting.configure()
    hosting.create()
    hosting.sagemaker.call("DeleteModel", {"ModelName": "model"})
    hosting.sagemaker.call("DeleteEndpointConfig", {"EndpointConfigName": "first"})

    assert hosting.ask() == b"trees 1"
    config = "arn:aws:sagemaker:us-east-1:000000000000:endpoint-config/first"
    message = refused(hosting, "UpdateEndpoint", EndpointConfigName="first")
    assert message == f'Could not find endpoint configuration "{config}".'


@pytest.mark.parametrize(("status", "whose"), [(400, "client"), (415, "client"), (500, "server")])
def test_a_containers_error_reaches_the_caller(hosting: Hosting, status: int, whose: str) -> None:
    hosting.serve = lambda running, body: (status, b"row 1 has no weight")
    hosting.configure()
    hosting.create()

    with pytest.raises(ServiceError) as caught:
        hosting.ask()
    error = caught.value
    assert (error.code, error.status) == ("ModelError", 424)
    assert error.message.startswith(
        f'Received {whose} error ({status}) from primary with message "row 1 has no weight". See https://'
    )
    assert error.details == {
        "ErrorCode": f"{whose.upper()}_ERROR_FROM_MODEL",
        "OriginalStatusCode": status,
        "OriginalMessage": "row 1 has no weight",
        "LogStreamArn": "arn:aws:logs:us-east-1:000000000000:log-group:/aws/sagemaker/Endpoints/Cars",
    }


def test_a_container_gets_one_request_at_a_time_and_instances_share_them(hosting: Hosting) -> None:
    both = threading.Barrier(2)

    def meet(running: Running, body: bytes) -> tuple[int, bytes]:
        both.wait(10)
        return 200, str(id(running)).encode()

    hosting.serve = meet
    hosting.configure("first", {**INSTANCES, "InitialInstanceCount": 2})
    hosting.create()
    answers: list[bytes] = []
    threads = [threading.Thread(target=lambda: answers.append(hosting.ask())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(answers)) == 2
    assert len(answers) == 4


def test_a_serverless_endpoint_throttles_beyond_its_concurrency(hosting: Hosting) -> None:
    entered, leave = threading.Event(), threading.Event()

    def wait(running: Running, body: bytes) -> tuple[int, bytes]:
        entered.set()
        leave.wait(10)
        return 200, b"done"

    hosting.serve = wait
    hosting.configure(
        "first", {**SERVERLESS, "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}
    )
    described = hosting.create()
    answers: list[bytes] = []
    thread = threading.Thread(target=lambda: answers.append(hosting.ask()))
    thread.start()
    entered.wait(10)

    with pytest.raises(ServiceError) as error:
        hosting.ask()
    leave.set()
    thread.join()
    assert (error.value.code, error.value.message) == ("ThrottlingException", "")
    assert answers == [b"done"]
    (variant,) = described["ProductionVariants"]
    assert variant["CurrentServerlessConfig"] == {"MemorySizeInMB": 1024, "MaxConcurrency": 1}


def test_a_serverless_container_is_confined_and_has_its_memory(hosting: Hosting) -> None:
    hosting.configure("first", SERVERLESS)
    hosting.create()
    hosting.configure("second", INSTANCES)
    hosting.create("Other", "second")

    serverless, instance = hosting.workers.processes
    assert (serverless.command.confined, serverless.memory_bytes) == (True, 2 << 30)
    assert (instance.command.confined, instance.memory_bytes) == (False, 8 << 30)
    assert serverless.args[-2:] == ("connected", "serverless")
    assert instance.args[-2:] == ("connected", "instance")


@pytest.mark.parametrize(("variant", "limit"), [(INSTANCES, 6 << 20), (SERVERLESS, 4 << 20)])
def test_a_body_that_is_too_large_is_refused(hosting: Hosting, variant: Any, limit: int) -> None:
    hosting.serve = lambda running, body: (200, str(len(body)).encode())
    hosting.configure("first", variant)
    hosting.create()

    assert hosting.ask(b"x" * limit) == str(limit).encode()
    with pytest.raises(ServiceError, match=f"HTTP content length exceeded {limit} bytes"):
        hosting.ask(b"x" * (limit + 1))


def test_weights_decide_between_variants_and_a_target_overrides_them(hosting: Hosting) -> None:
    hosting.serve = lambda running, body: (200, b"ok")
    green = {**INSTANCES, "VariantName": "green", "InitialVariantWeight": 0.0}
    hosting.configure("first", INSTANCES, green)
    hosting.create()

    def chosen(**more: Any) -> str:
        return hosting.sagemaker.invoke("Cars", Invocation(b"", {}, **more))[1]

    assert {chosen() for _ in range(20)} == {"blue"}
    assert chosen(target_variant="green") == "green"
    with pytest.raises(ServiceError, match="Variant red not found"):
        chosen(target_variant="red")
    wanted = [{"VariantName": "blue", "DesiredWeight": 0}, {"VariantName": "green", "DesiredWeight": 2}]
    hosting.sagemaker.call(
        "UpdateEndpointWeightsAndCapacities", {"EndpointName": "Cars", "DesiredWeightsAndCapacities": wanted}
    )
    described = hosting.settled()
    assert [each["CurrentWeight"] for each in described["ProductionVariants"]] == [0, 2]
    assert {chosen() for _ in range(20)} == {"green"}


def test_each_change_of_state_is_an_event(hosting: Hosting) -> None:
    hosting.configure()
    hosting.create()
    hosting.sagemaker.call("DeleteEndpoint", {"EndpointName": "Cars"})
    eventually(lambda: refused_or_none(hosting))
    hosting.sagemaker.close()

    entries = [(each["DetailType"], json.loads(each["Detail"])) for each in hosting.aws.events.entries]
    assert [detail.get("EndpointStatus") for _, detail in entries] == [
        None,
        "CREATING",
        "IN_SERVICE",
        "DELETING",
    ]
    assert [kind for kind, _ in entries] == [
        "SageMaker Endpoint Config State Change",
        *["SageMaker Endpoint State Change"] * 3,
    ]
    assert entries[0][1]["ProductionVariants"] == [{**INSTANCES, "InitialVariantWeight": 1.0}]
    assert entries[2][1]["EndpointArn"] == ARN


def test_invocations_are_measured_as_sagemaker_does(hosting: Hosting) -> None:
    hosting.configure("first", SERVERLESS)
    hosting.create()
    hosting.ask()
    hosting.serve = lambda running, body: (400, b"")
    with pytest.raises(ServiceError):
        hosting.ask()
    hosting.sagemaker.close()

    totals: dict[str, float] = {}
    for datum in hosting.aws.metrics.data:
        assert datum["Dimensions"] == [
            {"Name": "EndpointName", "Value": "Cars"},
            {"Name": "VariantName", "Value": "blue"},
        ]
        pairs = zip(datum["Values"], datum["Counts"], strict=True)
        totals[datum["MetricName"]] = totals.get(datum["MetricName"], 0) + sum(v * c for v, c in pairs)
    assert totals["Invocations"] == 2
    assert (totals["Invocation4XXErrors"], totals["Invocation5XXErrors"]) == (1, 0)
    assert all(totals[name] > 0 for name in ("ModelLatency", "OverheadLatency", "ModelSetupTime"))


def test_a_quota_limits_the_instances_of_endpoints(hosting: Hosting) -> None:
    hosting.sagemaker._endpoints._quotas = {"ml.m5.large for endpoint usage": 1}
    hosting.configure()
    hosting.create()

    with pytest.raises(ServiceError) as error:
        hosting.create("Second")
    assert error.value.code == "ResourceLimitExceeded"
    assert (
        "'ml.m5.large for endpoint usage' is 1 Instances, with current utilization of 1"
        in error.value.message
    )
