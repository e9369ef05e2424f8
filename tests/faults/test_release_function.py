"""The same where a function answers: whatever fails in a release, its alias names what it named before."""

from collections.abc import Iterator

import pytest

from tests.conftest import eventually
from tests.faults.pipeline import Pipeline
from tests.faults.releases import FunctionReleases
from tests.faults.run import RUN_SECONDS


@pytest.fixture(scope="module")
def releasing(deployed: Pipeline) -> Iterator[FunctionReleases]:
    with FunctionReleases.on(deployed, "function") as found:
        yield found


@pytest.mark.parametrize("operation", ["UpdateFunctionConfiguration", "PublishVersion", "Invoke"])
def test_what_fails_before_the_canary_leaves_the_alias_as_it_was(
    releasing: FunctionReleases, pipeline: Pipeline, operation: str
) -> None:
    package = releasing.register(releasing.live["package_arn"])
    containing = "SmokeTest" if operation == "Invoke" else "mpg-local-serve"
    pipeline.fault(f"lambda:{operation}", containing=containing, error="ServiceException", times=None)
    assert "was not released" in releasing.fails(package)


def test_a_release_that_is_stopped_during_its_canary_is_set_back(
    releasing: FunctionReleases, pipeline: Pipeline
) -> None:
    package, before, answer = (
        releasing.register(releasing.live["package_arn"]),
        releasing.live,
        releasing.answer(),
    )
    with pipeline.held("monitoring:GetMetricStatistics"):
        releasing.approve(package)
        pipeline.until_met()
        assert "0.1" in releasing.config
        pipeline.client("stepfunctions").stop_execution(
            executionArn=releasing.record(package)["execution_arn"]
        )
    assert releasing.ended(package)["status"] == "failed"
    # What was live is released again, as another version.
    again = eventually(lambda: releasing.live if releasing.live != before else None, RUN_SECONDS)
    assert (again["package_arn"], releasing.answer()) == (before["package_arn"], answer)
    assert "0.1" not in releasing.config
    eventually(lambda: pipeline.was_reported(again["execution_arn"]), RUN_SECONDS)
