"""Whatever fails in a look at the live model, its window is looked at, and a drift is told practically once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conftest import eventually
from tests.faults.calls import Call
from tests.faults.looks import REFUSED, WORKLOAD, Looks
from tests.faults.pipeline import Pipeline
from tests.faults.run import RUN_SECONDS

SLOW = "import time; time.sleep(600)"
ENDED = "NotifyMonitoringFunctionMonitoringFailed"
TASKS = [
    Call("lambda:Invoke", "PlanMonitoring"),
    Call("s3:GetObject", f"/{WORKLOAD}/workload.json"),
    Call("sagemaker:CreateProcessingJob", "-monitor-"),
    Call("sagemaker:DescribeProcessingJob", "-monitor-"),
    Call("lambda:Invoke", "ReportMonitoring"),
]
# The calls of the functions for which a state waits.
FUNCTIONS = [
    Call("dynamodb:GetItem", "live#"),
    Call("dynamodb:GetItem", "monitor#"),
    Call("sagemaker:DescribeModelPackage"),
    Call("s3:ListObjectsV2", "model.tar.gz&encoding-type"),
    Call("states:ListExecutions"),
    Call("states:DescribeExecution"),
    Call("s3:PutObject", "/seen.manifest"),
    Call("states:GetExecutionHistory"),
    Call("s3:GetObject", "/monitoring.json"),
    Call("s3:PutObject", "/report.html"),
    Call("dynamodb:PutItem", "told#monitoring#"),
    Call("sns:Publish", "Drift"),
    Call("dynamodb:UpdateItem", "told#monitoring#"),
    Call("dynamodb:PutItem", "monitor#"),
]


@pytest.fixture(scope="module")
def all_looks(deployed: Pipeline) -> Iterator[Looks]:
    with Looks.on(deployed) as found:
        yield found


@pytest.fixture
def looks(all_looks: Looks, pipeline: Pipeline) -> Looks:
    all_looks.begin_anew()
    return all_looks


@pytest.mark.parametrize("fault", ["throttled", "lost"])
def test_a_look_tells_once_when_the_first_call_of_every_kind_fails(
    looks: Looks, pipeline: Pipeline, fault: str
) -> None:
    for number, call in enumerate(FUNCTIONS if fault == "lost" else [*TASKS, *FUNCTIONS]):
        # A mail whose response is lost is sent again.
        late = number % 2 and call.operation != "sns:Publish"
        faults: dict[str, dict[str, Any]] = {
            "throttled": {"error": call.throttled},
            "lost": {"drop": "after" if late else "before"},
        }
        pipeline.fault(call.operation, containing=call.containing, **faults[fault])
    assert looks.look() == "found"
    unused = [f"{rule['operation']} {rule['containing']}" for rule in pipeline.heal() if not rule["applied"]]
    assert unused == []
    assert (looks.told(), looks.is_still_new) == (1, False)


# tests/statemachine has every task, tests/unit the other calls of the function that reports.
@pytest.mark.parametrize(
    ("call", "why"),
    [
        (Call("s3:PutObject", "/seen.manifest"), "AccessDenied"),
        (Call("sagemaker:CreateProcessingJob", "-monitor-"), "This fault was injected"),
        (Call("sns:Publish", "Drift"), "AccessDenied"),
    ],
    ids=str,
)
def test_a_call_of_a_look_that_is_refused_for_good_is_said_and_the_next_look_finds_the_same(
    looks: Looks, pipeline: Pipeline, call: Call, why: str
) -> None:
    pipeline.fault(call.operation, containing=call.containing, **REFUSED)
    assert why in looks.fails(looks.start())
    assert (looks.told(), looks.is_still_new) == (0, True)
    pipeline.heal()
    assert looks.look() == "found"
    assert looks.told() == 1


@pytest.mark.parametrize(
    ("function", "moment", "mails"),
    [
        ("PlanMonitoringFunction", {"after": "s3:PutObject", "containing": "/seen.manifest"}, 1),
        ("ReportMonitoringFunction", {"after": "dynamodb:PutItem", "containing": "told#monitoring#"}, 1),
        # One too many, because none at all would be worse.
        ("ReportMonitoringFunction", {"after": "sns:Publish", "containing": "Drift"}, 2),
        ("ReportMonitoringFunction", {"after": "dynamodb:UpdateItem", "containing": "told#monitoring#"}, 1),
    ],
    ids=str,
)
def test_a_function_of_monitoring_may_be_killed_at_any_moment(
    looks: Looks, pipeline: Pipeline, function: str, moment: dict[str, Any], mails: int
) -> None:
    with pipeline.crash(function, **moment):
        arn = looks.start()
    looks.a_minute_passes()
    # The state tries again for minutes; where waits are short, the claim may outlast it.
    if looks.ended(arn)["status"] == "FAILED":
        assert looks.look() == "found"
    assert (looks.told(), looks.is_still_new) == (mails, False)


def test_a_look_whose_job_is_killed_is_said_and_the_next_one_finds_the_same(
    looks: Looks, pipeline: Pipeline
) -> None:
    with pipeline.instead_of("monitor", SLOW):
        arn = looks.start()
        pipeline.kill_job("-monitor-0-")
        said = looks.fails(arn)
    assert "-monitor-0-0-0" in said
    assert "137" in said
    assert (looks.told(), looks.is_still_new) == (0, True)
    assert looks.look() == "found"
    assert looks.told() == 1


def test_findings_that_are_changed_after_their_job_are_refused_and_the_next_look_finds_the_true_ones(
    looks: Looks, pipeline: Pipeline
) -> None:
    with pipeline.held("lambda:Invoke", "ReportMonitoring"):
        arn = looks.start()
        pipeline.until_met()
        key = f"monitoring/{WORKLOAD}/{looks.id_of(arn)}/monitoring.json"
        assert key in pipeline.objects(key)
        pipeline.client("s3").put_object(Bucket=pipeline.stack["BucketName"], Key=key, Body=b"{}")
    assert "was changed after the job wrote it" in " ".join(looks.fails(arn).split())
    assert (looks.told(), looks.is_still_new) == (0, True)
    assert looks.look() == "found"
    assert looks.told() == 1


def test_a_look_that_is_stopped_is_said_and_leaves_no_job(looks: Looks, pipeline: Pipeline) -> None:
    with pipeline.instead_of("monitor", SLOW):
        arn = looks.start()
        job = f"{looks.id_of(arn)}-monitor-0-0-0"
        eventually(lambda: jobs(pipeline, job, "InProgress"), RUN_SECONDS)
        pipeline.client("stepfunctions").stop_execution(executionArn=arn)
        eventually(lambda: jobs(pipeline, job, "Stopped"), RUN_SECONDS)
    eventually(lambda: looks.failure_mails(arn), RUN_SECONDS)
    assert looks.is_still_new


def jobs(pipeline: Pipeline, name: str, status: str) -> list[Any]:
    """The processing jobs of this name, if they have this status."""
    pages = pipeline.client("sagemaker").get_paginator("list_processing_jobs")
    found = pages.paginate(NameContains=name, StatusEquals=status)
    return [job for page in found for job in page["ProcessingJobSummaries"]]


def test_two_looks_at_once_tell_once(looks: Looks, pipeline: Pipeline) -> None:
    with pipeline.held("s3:GetObject", "/monitoring.json", times=2):
        arns = [looks.start() for _ in range(2)]
        # Neither has seen that the other one is at work.
        pipeline.until_met(2)
    assert {looks.outcome(arn) for arn in arns} <= {"found", "overtaken"}
    assert looks.told() == 1
    assert looks.look() == "nothing_new"


def test_the_failure_of_a_look_is_mailed_once_however_often_its_event_arrives(
    looks: Looks, pipeline: Pipeline
) -> None:
    arn = looks.fails_at_once()
    eventually(lambda: pipeline.was_reported(arn), RUN_SECONDS)
    event = {"detail": {"executionArn": arn, "status": "FAILED", "redriveCount": 0}}
    with ThreadPoolExecutor(5) as pool:
        answers = set(pool.map(lambda _: pipeline.invoke("NotifyMonitoringFunction", event), range(5)))
    assert answers == {'{"mailed": false}'}
    assert len(looks.failure_mails(arn)) == 1


def test_the_failure_of_a_look_that_no_event_reported_is_mailed_by_the_sweep_once(
    looks: Looks, pipeline: Pipeline
) -> None:
    with pipeline.withheld(ENDED):
        arn = looks.fails_at_once()
        assert pipeline.sweep()["monitoring end"] == 1
    assert pipeline.sweep().get("monitoring end", 0) == 0
    assert len(looks.failure_mails(arn)) == 1


def test_the_failure_of_a_look_that_cannot_be_mailed_ends_in_the_dead_letter_queue(
    looks: Looks, pipeline: Pipeline
) -> None:
    with pipeline.withheld(ENDED):
        arn = looks.fails_at_once()
    pipeline.fault("sns:Publish", **{**REFUSED, "error": "AuthorizationError"})
    event = {"detail": {"executionArn": arn, "status": "FAILED", "redriveCount": 0}}
    pipeline.invoke("NotifyMonitoringFunction", event, asynchronously=True)
    eventually(lambda: any(arn in body for body in pipeline.messages("MonitoringDeadLetters")), RUN_SECONDS)
    pipeline.heal()
    assert pipeline.sweep()["monitoring end"] == 1
    assert len(looks.failure_mails(arn)) == 1
