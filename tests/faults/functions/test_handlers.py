"""Functions that handle events crash or fail for good: their work is still done, and practically once."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import eventually
from tests.faults.pipeline import Pipeline
from tests.faults.run import RUN_SECONDS, Run

SLOW = "import time; time.sleep(600)"


def test_a_notification_may_crash_at_any_moment_when_its_event_is_redelivered_a_minute_later(
    pipeline: Pipeline,
) -> None:
    with pipeline.withheld("NotifyFunctionRunEnded"):
        run = refused(pipeline)
    for moment, mails in (
        ({"before": "dynamodb:PutItem", "containing": "told#"}, 0),
        ({"after": "dynamodb:PutItem", "containing": "told#"}, 0),
        ({"before": "s3:PutObject", "containing": "/report/"}, 0),
        ({"after": "s3:PutObject", "containing": "/report/"}, 0),
        ({"before": "sns:Publish", "containing": "NotificationTopic"}, 0),
        ({"after": "sns:Publish", "containing": "NotificationTopic"}, 1),
        # One too many, because none at all would be worse.
        ({"after": "dynamodb:UpdateItem", "containing": "told#"}, 2),
    ):
        crash_once(pipeline, "NotifyFunction", run.end_event(), moment)
        assert len(run.endings()) == mails, moment
        a_minute_passes(pipeline, end_of(run))
    assert pipeline.invoke("NotifyFunction", run.end_event()) == '{"mailed": false}'
    assert len(run.endings()) == 2
    run.expects_a_mail_twice = True


@pytest.mark.parametrize("call", ["states:GetExecutionHistory", "s3:PutObject"])
def test_the_mail_about_an_end_is_sent_although_its_report_cannot_be_made(
    pipeline: Pipeline, call: str
) -> None:
    # A refused run has no other object.
    containing = "/report/" if call == "s3:PutObject" else ""
    pipeline.fault(call, containing=containing, error="AccessDenied", status=403, times=None)
    run = refused(pipeline)
    text = run.reported().text
    assert "X-Amz-Signature" not in text
    assert f"mpg report {run.run_id}" in text


def test_a_sender_keeps_its_claim_until_it_has_recorded_the_mail(pipeline: Pipeline) -> None:
    with pipeline.held("dynamodb:UpdateItem", "told#"):
        run = refused(pipeline)
        eventually(run.endings)
        # The function that stops jobs gets the event of the end as well, and finishes soon.
        eventually(lambda: pipeline.functions_running() == 1)
    pipeline.until_functions_end()
    assert pipeline.invoke("NotifyFunction", run.end_event()) == '{"mailed": false}'


@pytest.mark.parametrize("moment", ["before", "after"])
def test_stopping_jobs_may_crash_when_its_event_is_redelivered(pipeline: Pipeline, moment: str) -> None:
    moments: dict[str, Any] = {moment: "sagemaker:StopProcessingJob"}
    with pipeline.instead_of("preprocess", SLOW), pipeline.crash("StopJobsFunction", **moments):
        run = pipeline.upload(reuse=False)
        eventually(lambda: pipeline.running_jobs(run), RUN_SECONDS)
        run.stop()
    pipeline.invoke("StopJobsFunction", run.end_event())
    eventually(lambda: list(run.jobs().values()) == ["Stopped"])
    assert pipeline.running_jobs(run) == []


def test_a_sweep_may_crash_while_it_reports_an_end(pipeline: Pipeline) -> None:
    with pipeline.withheld("NotifyFunctionRunEnded"):
        run = refused(pipeline)
        for moment, mails in (("before", 0), ("after", 1)):
            crash_a_sweep(pipeline, {moment: "sns:Publish"})
            assert len(run.endings()) == mails, moment
            a_minute_passes(pipeline, end_of(run))
        pipeline.sweep()
    assert pipeline.sweep().get("end", 0) == 0
    assert len(run.endings()) == 2
    run.expects_a_mail_twice = True


def test_a_sweep_may_crash_while_it_passes_a_decision_on(pipeline: Pipeline) -> None:
    run = pipeline.upload()
    run.ends()
    with pipeline.withheld("ResumePipelineFunctionPackageDecided"):
        run.decide("Approved")
        for moment in ("before", "after"):
            crash_a_sweep(pipeline, {moment: "states:SendTaskSuccess"})
        pipeline.sweep()
    assert run.is_over().outcome == "approved"
    run.reported()
    assert len(run.endings()) == 1


def test_a_sweep_may_crash_at_any_moment_while_it_reminds_and_a_mailed_link_always_works(
    pipeline: Pipeline,
) -> None:
    run = pipeline.upload()
    run.ends()
    reminder = time_runs_out(pipeline, run)
    for moment, reminders in (
        ({"before": "dynamodb:PutItem", "containing": "#REMINDER#"}, 0),
        # After one call means before the next one.
        ({"after": "dynamodb:PutItem", "containing": "#REMINDER#"}, 0),
        ({"after": "dynamodb:PutItem", "containing": "link#"}, 0),
        ({"after": "dynamodb:UpdateItem", "containing": "announced_link"}, 0),
        ({"after": "sns:Publish", "containing": "ApprovalTopic"}, 1),
        # One too many, as above.
        ({"after": "dynamodb:UpdateItem", "containing": "#REMINDER#"}, 2),
        ({"after": "dynamodb:UpdateItem", "containing": "reminded_at"}, 2),
    ):
        crash_a_sweep(pipeline, moment)
        assert len(run.reminders()) == reminders, moment
        assert [page.status for page in run.open_links()].count(200) == 1, moment
        a_minute_passes(pipeline, reminder)
    assert pipeline.sweep().get("reminder", 0) == 0
    assert len(run.reminders()) == 2
    assert [page.status for page in run.open_links()] == [410, 410, 200]
    assert run.approve_by_mail() == 200
    assert run.is_over().outcome == "approved"
    run.expects_a_mail_twice = True


def crash_a_sweep(pipeline: Pipeline, moment: dict[str, Any]) -> None:
    """A sweep that is killed before or after a call."""
    crash_once(pipeline, "SweepFunction", {}, moment)


def crash_once(pipeline: Pipeline, function: str, event: dict[str, Any], moment: dict[str, Any]) -> None:
    """Kill a function at this moment. Nobody retries it: its next call is the test's."""
    with ThreadPoolExecutor(1) as caller, pipeline.crash(function, **moment):
        caller.submit(pipeline.deliver, function, event)


def test_a_mail_that_fails_twice_is_sent_at_the_third_attempt(pipeline: Pipeline) -> None:
    run = refused_while_sns_refuses(pipeline, failures=2)
    run.reported()
    assert pipeline.faults()[0]["seen"] == 3
    assert (len(run.endings()), letters_about(run)) == (1, [])


def test_a_mail_that_cannot_be_sent_ends_in_the_dead_letter_queue(pipeline: Pipeline) -> None:
    run = refused_while_sns_refuses(pipeline, failures=None)
    (letter,) = eventually(lambda: letters_about(run))
    assert letter["requestPayload"]["detail"]["executionArn"] == run.arn
    assert run.endings() == []
    pipeline.heal()
    assert pipeline.invoke("NotifyFunction", letter["requestPayload"]) == '{"mailed": true}'


def test_a_decision_that_cannot_be_passed_on_ends_in_the_dead_letter_queue_and_the_sweep_passes_it_on(
    pipeline: Pipeline,
) -> None:
    run = pipeline.upload()
    run.ends()
    pipeline.fault("states:SendTaskSuccess", error="AccessDeniedException", times=None)
    run.decide("Approved")
    eventually(lambda: [body for body in pipeline.messages("EventDeadLetters") if run.packages()[0] in body])
    pipeline.heal()
    assert pipeline.sweep()["decision"] >= 1
    assert run.is_over().outcome == "approved"


def letters_about(run: Run) -> list[dict[str, Any]]:
    """The messages about this run in the dead-letter queue of events."""
    return [json.loads(body) for body in run.pipeline.messages("EventDeadLetters") if run.arn in body]


def refused(pipeline: Pipeline) -> Run:
    run = pipeline.upload("cars.csv", b"nothing that can be used")
    assert run.ends().error == "UploadRefused"
    return run


def refused_while_sns_refuses(pipeline: Pipeline, failures: int | None) -> Run:
    """A run whose end is reported while SNS refuses so many times, for good if None."""
    # Not an error that the function's own client retries; another test covers that.
    fault: dict[str, Any] = {"containing": "NotificationTopic", "error": "AuthorizationError", "status": 403}
    pipeline.fault("sns:Publish", times=failures, **fault)
    return refused(pipeline)


def end_of(run: Run) -> str:
    """The name of the claim on reporting the end of a refused run."""
    return f"told#{run.arn}#FAILED#0"


def a_minute_passes(pipeline: Pipeline, pk: str) -> None:
    """Let the claim on this report lapse, if somebody holds it."""
    if pipeline.item(pk):
        pipeline.client("dynamodb").update_item(
            TableName=pipeline.stack["TableName"],
            Key={"pk": {"S": pk}},
            UpdateExpression="SET claimed_until = :past",
            ExpressionAttributeValues={":past": {"N": "1"}},
        )


def time_runs_out(pipeline: Pipeline, run: Run) -> str:
    """Leave one hour of six days to decide; returns the name of the claim on the reminder."""
    (package,) = run.packages()
    asked, until = datetime.now(UTC) - timedelta(days=6), int(time.time()) + 3600
    pipeline.client("dynamodb").update_item(
        TableName=pipeline.stack["TableName"],
        Key={"pk": {"S": f"package#{package}"}},
        UpdateExpression="SET requested_at = :asked, decide_before = :until",
        ExpressionAttributeValues={":asked": {"S": asked.isoformat()}, ":until": {"N": str(until)}},
    )
    return f"told#{package}#REMINDER#{until}"
