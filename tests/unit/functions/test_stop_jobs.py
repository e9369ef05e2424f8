"""After a failed run, its jobs are stopped, and no others."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from handlers import stop_jobs
from runs.executions import NotEnded
from runs.names import run_id
from tests.unit.functions.conftest import World, event
from tests.unit.functions.requests import ended

DETAIL = event("stop_jobs-aborted")["detail"]
ARN = DETAIL["executionArn"]
STARTED = datetime.fromtimestamp(DETAIL["startDate"] / 1000, UTC)
RUN = run_id(ARN, STARTED)
OTHER = "mpg-20260301-0925-00000000"


@pytest.fixture
def stop(world: World, context: Any) -> Any:
    """Deliver the event about the run's end for an execution with this description; returns the stopped jobs."""

    def deliver(
        status: str = "ABORTED", redrives: int = 0, described_redrives: int | None = None
    ) -> list[str]:
        counted = redrives if described_redrives is None else described_redrives
        world.stepfunctions.end(ARN, status, redriveCount=counted, startDate=STARTED)
        told = event("stop_jobs-aborted")
        told["detail"]["redriveCount"] = redrives
        stopped: list[str] = stop_jobs.handler(told, context)["stopped"]
        return stopped

    return deliver


@pytest.mark.parametrize("job", ["-preprocess-0-0", "-evaluate-0-3", "-predict-0-1", "-0"])
@pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT"])
def test_every_kind_of_running_job_is_stopped(world: World, stop: Any, job: str, status: str) -> None:
    world.sagemaker.jobs = {f"{RUN}{job}": "InProgress"}
    assert stop(status) == [f"{RUN}{job}"]
    assert world.sagemaker.jobs == {f"{RUN}{job}": "Stopping"}


def test_other_jobs_go_on(world: World, stop: Any) -> None:
    others = {f"{OTHER}-preprocess-0-0": "InProgress", f"{RUN}-mine": "InProgress"}
    world.sagemaker.jobs = dict(others)
    assert stop() == []
    assert world.sagemaker.jobs == others


def test_a_run_without_a_job_needs_nothing(stop: Any) -> None:
    assert stop() == []


def test_jobs_of_an_execution_that_runs_again_go_on(world: World, stop: Any) -> None:
    world.sagemaker.jobs = {f"{RUN}-preprocess-0-0": "InProgress"}
    assert stop("RUNNING", described_redrives=1) == []
    assert world.sagemaker.jobs == {f"{RUN}-preprocess-0-0": "InProgress"}


def test_no_event_stops_the_jobs_of_an_execution_that_runs(world: World, stop: Any) -> None:
    world.sagemaker.jobs = {f"{RUN}-preprocess-0-0": "InProgress"}
    with pytest.raises(NotEnded, match=f"^{ARN}$"):
        stop("RUNNING")
    assert world.sagemaker.jobs == {f"{RUN}-preprocess-0-0": "InProgress"}


def test_a_forged_start_or_number_of_redrives_is_ignored(world: World, context: Any) -> None:
    other = {f"mpg-20200101-0000-{RUN[-8:]}-preprocess-0-0": "InProgress", f"{RUN}-0": "InProgress"}
    world.sagemaker.jobs = {**other, f"{RUN}-preprocess-7-0": "InProgress"}
    told = ended(world, "stop_jobs-aborted")
    told["detail"] |= {"startDate": 1577836800000, "redriveCount": 99}
    assert stop_jobs.handler(told, context) == {"stopped": [f"{RUN}-0"]}


def test_the_job_of_a_redrive_that_comes_at_this_very_moment_goes_on(world: World, stop: Any) -> None:
    # Described as ended, redriven before the jobs are stopped: the new job has the next number.
    world.sagemaker.jobs = {f"{RUN}-preprocess-0-0": "InProgress", f"{RUN}-preprocess-1-0": "InProgress"}
    assert stop() == [f"{RUN}-preprocess-0-0"]


def test_after_a_redrive_that_ended_too_its_job_is_stopped_as_well(world: World, stop: Any) -> None:
    world.sagemaker.jobs = {f"{RUN}-preprocess-0-0": "InProgress", f"{RUN}-preprocess-1-0": "InProgress"}
    assert len(stop(described_redrives=1)) == 2


@pytest.mark.parametrize("code", ["ValidationException", "ResourceNotFound"])
def test_a_job_that_ended_meanwhile_is_no_error(world: World, stop: Any, code: str) -> None:
    world.sagemaker.jobs = {f"{RUN}-preprocess-0-0": "InProgress"}
    world.sagemaker.broken = code
    assert stop() == []


def test_a_job_that_could_not_be_stopped_is_stopped_by_the_retry(world: World, stop: Any) -> None:
    world.sagemaker.jobs = {f"{RUN}-0": "InProgress"}
    world.sagemaker.broken = "ThrottlingException"
    with pytest.raises(ClientError):
        stop()
    world.sagemaker.broken = ""
    assert stop() == [f"{RUN}-0"]


def test_the_same_event_twice_stops_once(world: World, stop: Any) -> None:
    world.sagemaker.jobs = {f"{RUN}-predict-0-0": "InProgress"}
    assert [len(stop()) for _ in range(2)] == [1, 0]
