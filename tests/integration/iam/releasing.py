"""Everything that releases can do, once, for the list of policy questions."""

from local.cli.deploy import set_parameter, set_parameters
from tests.conftest import eventually
from tests.faults.pipeline import Pipeline
from tests.faults.releases import Releases

ON_INSTANCES = {
    "EndpointType": "instance",
    "EndpointMaxInstanceCount": "2",
    "EndpointDataCapturePercent": "100",
}
_ENDED = "ReportReleaseFunctionReleaseEnded"
_LOST = "mpg-20260101-0000-ffffffff"


def release_everything(pipeline: Pipeline, package: str) -> None:
    """Release, fail, stop, wait, sweep, scale, and lose an event; then to a function. Begins with nothing live."""
    set_parameters(pipeline.endpoint, ON_INSTANCES)
    releases = Releases(pipeline)
    pipeline.fault(
        "lambda:Invoke", containing="SmokeTest", error="InvalidParameterValueException", times=None
    )
    assert _asked(releases, package)["status"] == "failed"
    pipeline.heal()
    _stopped(releases, package)
    # Before another one of the same package starts, which would take its record over.
    assert releases.ended(package)["status"] == "failed"
    with pipeline.withheld(_ENDED):
        _stopped(releases, package)
        pipeline.sweep()
    with pipeline.withheld("ReleaseRule"), pipeline.withheld(_ENDED):
        # The sweep starts what no event started, and mails what is live.
        missed = releases.register(package)
        releases.approve(missed)
        pipeline.sweep()
        eventually(lambda: releases.record(missed).get("status") == "live", 120)
        pipeline.sweep()
    assert releases.answer()
    _stopped(releases, missed)
    eventually(lambda: releases.record(missed).get("status") == "live", 120)
    # Two instances, for a canary whose alarms are watched.
    set_parameters(pipeline.endpoint, {"EndpointInstanceType": "ml.m5.xlarge", "EndpointInstanceCount": "2"})
    _two_at_once(releases, package)
    # Its evaluation is missing.
    _copy_model(releases, _LOST)
    lost = releases.register(package, run_id=_LOST)
    releases.approve(lost)
    assert releases.ended(lost)["status"] == "failed"
    pipeline.invoke("ReportReleaseFunction", {"detail": "nothing that an event says"}, asynchronously=True)
    eventually(lambda: pipeline.messages("ReleaseDeadLetters"), 120)
    _to_a_function(releases, package)


def _to_a_function(releases: Releases, package: str) -> None:
    """An alias, a canary, and the end of a version that is no longer needed."""
    set_parameter(releases.pipeline.endpoint, "EndpointType", "function")
    # There is one more nested stack now.
    del releases.pipeline.stack
    for _ in range(3):
        assert _asked(releases, package)["status"] == "live"


def _copy_model(releases: Releases, run_id: str) -> None:
    """Put the live model where another run would keep it, without an evaluation."""
    bucket = releases.pipeline.stack["BucketName"]
    source = {"Bucket": bucket, "Key": f"models/{releases.live['run_id']}/model.tar.gz"}
    releases.pipeline.client("s3").copy_object(
        Bucket=bucket, Key=f"models/{run_id}/model.tar.gz", CopySource=source
    )


def _asked(releases: Releases, package: str) -> dict[str, str]:
    """Ask for a release and wait for its end; returns its record."""
    execution = releases.start(package, "request")
    eventually(lambda: releases.record(package).get("execution_arn") == execution, 60)
    return releases.ended(package)


def _stopped(releases: Releases, package: str) -> None:
    """A release that is stopped before its smoke test."""
    pipeline = releases.pipeline
    with pipeline.held("lambda:Invoke", containing="SmokeTest"):
        execution = releases.start(package, "request")
        pipeline.until_met()
        states = pipeline.client("stepfunctions")
        states.stop_execution(executionArn=execution)
        eventually(lambda: states.describe_execution(executionArn=execution)["status"] == "ABORTED", 30)


def _two_at_once(releases: Releases, package: str) -> None:
    """One release waits for the other."""
    pipeline = releases.pipeline
    first, second = releases.register(package), releases.register(package)
    with pipeline.held("lambda:Invoke", containing="SmokeTest"):
        releases.approve(first)
        pipeline.until_met()
        releases.approve(second)
        eventually(lambda: releases.record(second).get("execution_arn"), 60)
        waiting = releases.record(second)["execution_arn"]
        history = pipeline.client("stepfunctions").get_execution_history
        eventually(
            lambda: any(
                event.get("stateEnteredEventDetails", {}).get("name") == "Wait for other release"
                for event in history(executionArn=waiting)["events"]
            ),
            60,
        )
    assert releases.ended(second)["status"] == "live"
