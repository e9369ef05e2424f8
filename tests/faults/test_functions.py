"""Functions crash at the worst moments, and mail fails: nobody is asked or told twice, or not at all."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conftest import eventually
from tests.faults.pipeline import Pipeline
from tests.faults.run import RUN_SECONDS, Run


def test_the_check_of_an_upload_may_crash_before_it_keeps_the_file(pipeline: Pipeline) -> None:
    with pipeline.crash("CheckUploadFunction", before="s3:CopyObject"):
        run = pipeline.upload()
    assert run.ends().outcome == "pending"


def test_the_check_of_an_upload_may_crash_after_it_kept_the_file(pipeline: Pipeline) -> None:
    with pipeline.crash("CheckUploadFunction", after="s3:CopyObject"):
        run = pipeline.upload()
    assert run.ends().outcome == "pending"


@pytest.mark.parametrize(
    "moment",
    [
        {"before": "dynamodb:PutItem", "containing": "link#"},
        {"after": "dynamodb:PutItem", "containing": "link#"},
        {"after": "dynamodb:UpdateItem", "containing": "package#"},
        # The first one is the state machine's, about the champion.
        {"after": "sagemaker:DescribeModelPackage", "first": 2},
        {"before": "sns:Publish", "containing": "ApprovalTopic"},
    ],
    ids=lambda moment: " ".join(str(part) for item in moment.items() for part in item),
)
def test_asking_may_crash_at_any_moment_before_the_mail_and_asks_once(
    pipeline: Pipeline, moment: dict[str, Any]
) -> None:
    with pipeline.crash("RequestApprovalFunction", **moment):
        run = pipeline.upload()
    assert run.ends().outcome == "pending"
    assert run.approve_by_mail() == 200
    assert run.is_over().outcome == "approved"
    assert (len(run.questions()), len(run.packages())) == (1, 1)


def test_a_crash_in_the_instant_after_the_mail_asks_again_and_the_newest_link_decides(
    pipeline: Pipeline,
) -> None:
    with pipeline.crash("RequestApprovalFunction", after="sns:Publish", containing="ApprovalTopic"):
        run = pipeline.upload()
    eventually(lambda: len(run.questions()) == 2, RUN_SECONDS)
    assert run.approve_by_mail() == 200
    assert run.is_over().outcome == "approved"
    assert len(run.packages()) == 1
    run.expects_a_mail_twice = True


def test_a_lost_answer_of_sns_means_one_mail_too_many_and_not_one_too_few(pipeline: Pipeline) -> None:
    pipeline.fault("sns:Publish", containing="ApprovalTopic", drop="after")
    pipeline.fault("sns:Publish", containing="NotificationTopic", drop="after")
    run = pipeline.upload()
    assert run.ends().outcome == "pending"
    assert run.approve_by_mail() == 200
    assert run.is_over().outcome == "approved"
    eventually(lambda: (len(run.questions()), len(run.endings())) == (2, 2))
    assert run.questions()[0] == run.questions()[1]
    run.expects_a_mail_twice = True


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_decision_is_not_lost_when_the_review_page_crashes(pipeline: Pipeline, moment: str) -> None:
    run = pipeline.upload()
    run.ends()
    moments: dict[str, Any] = {moment: "sagemaker:UpdateModelPackage"}
    with ThreadPoolExecutor(1) as reviewer:
        with pipeline.crash("ReviewFunction", **moments):
            answer = reviewer.submit(run.approve_by_mail)
        assert answer.result() >= 500
    if moment == "before":
        assert run.approve_by_mail(("finish", "yes")) == 200
    assert run.is_over().outcome == "approved"


@pytest.mark.parametrize(
    "moment",
    [
        {"before": "states:SendTaskSuccess"},
        {"after": "states:SendTaskSuccess"},
        {"before": "dynamodb:UpdateItem", "containing": "resumed_at"},
    ],
    ids=str,
)
def test_resuming_may_crash_at_any_moment_when_its_event_comes_again(
    pipeline: Pipeline, moment: dict[str, Any]
) -> None:
    run = pipeline.upload()
    run.ends()
    with pipeline.crash("ResumePipelineFunction", **moment):
        run.decide("Approved")
    pipeline.invoke("ResumePipelineFunction", run.decision_event())
    assert run.is_over().outcome == "approved"
    run.told()
    assert len(run.endings()) == 1


def test_telling_may_crash_before_the_mail_when_its_event_comes_again_a_minute_later(
    pipeline: Pipeline,
) -> None:
    with pipeline.crash("NotifyFunction", before="sns:Publish", containing="NotificationTopic"):
        run = refused(pipeline)
    event = run.end_event()
    assert "BeingTold" in pipeline.invoke("NotifyFunction", event)
    a_minute_passes(pipeline, run)
    assert pipeline.invoke("NotifyFunction", event) == '{"told": true}'
    assert pipeline.invoke("NotifyFunction", event) == '{"told": false}'
    assert len(run.endings()) == 1


def test_a_mail_that_fails_twice_is_sent_at_the_third_attempt(pipeline: Pipeline) -> None:
    run = told_asynchronously(pipeline, failures=2)
    run.told()
    assert pipeline.faults()[0]["seen"] == 3
    assert (len(run.endings()), letters_about(run)) == (1, [])


def test_a_mail_that_cannot_be_sent_ends_in_the_dead_letter_queue(pipeline: Pipeline) -> None:
    run = told_asynchronously(pipeline, failures=None)
    (letter,) = eventually(lambda: letters_about(run))
    assert letter["requestPayload"] == run.end_event()
    assert run.endings() == []
    pipeline.heal()
    assert pipeline.invoke("NotifyFunction", letter["requestPayload"]) == '{"told": true}'


def letters_about(run: Run) -> list[dict[str, Any]]:
    """What of this run is in the dead-letter queue of events."""
    return [json.loads(body) for body in run.pipeline.messages("EventDeadLetters") if run.arn in body]


def refused(pipeline: Pipeline) -> Run:
    run = pipeline.upload("cars.csv", b"nothing that can be used")
    assert run.ends().error == "UploadRefused"
    return run


def told_asynchronously(pipeline: Pipeline, failures: int | None) -> Run:
    """A run whose end is told as EventBridge does it on AWS, while SNS refuses so many times."""
    # Not an error that the function's own client tries again: that has its test elsewhere.
    fault: dict[str, Any] = {"containing": "NotificationTopic", "error": "AuthorizationError", "status": 403}
    pipeline.fault("sns:Publish", times=None, **fault)
    run = refused(pipeline)
    pipeline.until_met()
    pipeline.heal()
    a_minute_passes(pipeline, run)
    pipeline.fault("sns:Publish", times=failures, **fault)
    pipeline.invoke("NotifyFunction", run.end_event(), asynchronously=True)
    return run


def a_minute_passes(pipeline: Pipeline, run: Run) -> None:
    """Let the claim on telling a run's end lapse, if somebody holds it."""
    key = {"pk": {"S": f"told#{run.arn}#FAILED#0"}}
    table = {"TableName": pipeline.stack["TableName"], "Key": key}
    if "Item" in pipeline.client("dynamodb").get_item(**table, ConsistentRead=True):
        pipeline.client("dynamodb").update_item(
            **table,
            UpdateExpression="SET claimed_until = :past",
            ExpressionAttributeValues={":past": {"N": "1"}},
        )
