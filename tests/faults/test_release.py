"""Whatever fails in a release, what was live stays live and answers as before."""

import hashlib
import json
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import eventually
from tests.faults.pipeline import Pipeline
from tests.faults.releases import ENDPOINT, Releases
from tests.faults.run import RUN_SECONDS

BROKEN = {"SAGEMAKER_SERVING_MODULE": "nowhere:main"}


@pytest.fixture(scope="module")
def releasing(deployed: Pipeline) -> Iterator[Releases]:
    with Releases.on(deployed, "serverless") as found:
        first = found.live["execution_arn"]
        assert f"--endpoint-name {ENDPOINT}" in found.mail(first)
        yield found


@pytest.mark.parametrize("operation", ["CreateModel", "CreateEndpointConfig", "UpdateEndpoint"])
def test_what_cannot_be_created_leaves_the_endpoint_as_it_was(
    releasing: Releases, pipeline: Pipeline, operation: str
) -> None:
    package = releasing.register(releasing.live["package_arn"])
    pipeline.fault(
        f"sagemaker:{operation}", containing=ENDPOINT, error="InternalFailure", status=500, times=None
    )
    assert "was not released" in releasing.fails(package)


def test_a_model_that_never_comes_into_service_leaves_the_endpoint_as_it_was(releasing: Releases) -> None:
    assert "was not released" in releasing.fails(releasing.register(releasing.live["package_arn"], BROKEN))


def test_a_model_that_answers_otherwise_than_evaluated_is_taken_back(
    releasing: Releases, pipeline: Pipeline
) -> None:
    run_id, digest = evaluated_otherwise(releasing, pipeline)
    live = releasing.live["package_arn"]
    package = releasing.register(live, run_id=run_id, evaluation_digest=digest)
    assert "line 1" in releasing.fails(package)


def evaluated_otherwise(releasing: Releases, pipeline: Pipeline) -> tuple[str, str]:
    """A copy of the live model with an evaluation that expects other answers; its run id and digest."""
    s3, bucket, run_id = pipeline.client("s3"), pipeline.stack["BucketName"], "mpg-20260101-0000-00000000"
    source = f"models/{releasing.live['run_id']}"
    s3.copy_object(
        Bucket=bucket,
        Key=f"models/{run_id}/model.tar.gz",
        CopySource={"Bucket": bucket, "Key": f"{source}/model.tar.gz"},
        ChecksumAlgorithm="SHA256",
    )
    evaluation = json.loads(s3.get_object(Bucket=bucket, Key=f"{source}/evaluation.json")["Body"].read())
    evaluation["smoke_test"]["answer"] = "1\n" * evaluation["smoke_test"]["rows"]
    body = json.dumps(evaluation).encode()
    s3.put_object(Bucket=bucket, Key=f"models/{run_id}/evaluation.json", Body=body)
    return run_id, f"sha256:{hashlib.sha256(body).hexdigest()}"


def test_an_approval_whose_event_arrives_twice_is_released_once(
    releasing: Releases, pipeline: Pipeline
) -> None:
    package = releasing.register(releasing.live["package_arn"])
    releasing.approve(package)
    assert releasing.ended(package)["status"] == "live"
    again = releasing.start(package)
    assert eventually(lambda: outcome(pipeline, again), RUN_SECONDS) == "already_processed"
    assert releasing.live["package_arn"] == package


def outcome(pipeline: Pipeline, execution_arn: str) -> str:
    return str(json.loads(pipeline.describe(execution_arn).get("output") or "{}").get("outcome", ""))


def test_a_release_that_is_stopped_half_way_is_set_back(releasing: Releases, pipeline: Pipeline) -> None:
    package, before, answer = (
        releasing.register(releasing.live["package_arn"]),
        releasing.live,
        releasing.answer(),
    )
    with pipeline.held("lambda:Invoke", containing="SmokeTest"):
        releasing.approve(package)
        pipeline.until_met()
        assert releasing.config != before["config_name"]
        execution = releasing.record(package)["execution_arn"]
        pipeline.client("stepfunctions").stop_execution(executionArn=execution)
    assert releasing.ended(package)["status"] == "failed"
    # What was live is released again, under another configuration.
    again = changed(lambda: releasing.live, before)
    assert (again["package_arn"], releasing.answer()) == (before["package_arn"], answer)
    assert releasing.config == again["config_name"]
    eventually(lambda: pipeline.was_reported(again["execution_arn"]), RUN_SECONDS)


def changed(read: Callable[[], dict[str, str]], before: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = eventually(lambda: read() if read() != before else None, RUN_SECONDS)
    return found


def test_of_two_approvals_at_once_the_newer_one_is_live_in_the_end(releasing: Releases) -> None:
    packages = [releasing.register(releasing.live["package_arn"]) for _ in range(2)]
    for package in packages:
        releasing.approve(package)
    statuses = [releasing.ended(package)["status"] for package in packages]
    assert statuses[1] == "live"
    assert statuses[0] in ("live", "superseded")
    assert (releasing.live["package_arn"], releasing.config) == (packages[1], releasing.live["config_name"])


def test_an_approval_that_no_event_reported_is_released_by_the_sweep(
    releasing: Releases, pipeline: Pipeline
) -> None:
    package = releasing.register(releasing.live["package_arn"])
    with pipeline.withheld("ReleaseRule"):
        releasing.approve(package)
        assert pipeline.sweep()["release"] == 1
    assert releasing.ended(package)["status"] == "live"
    assert pipeline.sweep().get("release", 0) == 0


def test_a_mail_about_a_release_that_cannot_be_sent_ends_in_the_dead_letter_queue(
    releasing: Releases, pipeline: Pipeline
) -> None:
    pipeline.fault(
        "sns:Publish", containing="NotificationTopic", error="AuthorizationError", status=403, times=None
    )
    execution = releasing.start(releasing.live["package_arn"], "request")
    eventually(
        lambda: any(execution in body for body in pipeline.messages("ReleaseDeadLetters")), RUN_SECONDS
    )
    pipeline.heal()
    assert pipeline.sweep().get("release end", 0) == 1
    assert "is live" in releasing.mail(execution)
