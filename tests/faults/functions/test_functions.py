"""Functions that check, ask and decide crash at the worst moments: nobody is asked twice, no decision is lost."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.cli import browser
from tests.conftest import eventually
from tests.faults.pipeline import Pipeline
from tests.faults.run import RUN_SECONDS


def test_the_check_of_an_upload_may_crash_before_it_keeps_the_file(pipeline: Pipeline) -> None:
    with pipeline.crash("CheckUploadFunction", before="s3:CopyObject"):
        run = pipeline.upload()
    assert run.ends().outcome == "pending"


def test_the_check_of_an_upload_may_crash_after_it_kept_the_file(pipeline: Pipeline) -> None:
    with pipeline.crash("CheckUploadFunction", after="s3:CopyObject"):
        run = pipeline.upload()
    assert run.ends().outcome == "pending"


@pytest.mark.parametrize("when", ["before", "after"])
def test_keeping_a_model_may_crash_at_any_moment(pipeline: Pipeline, when: str) -> None:
    moment: dict[str, Any] = {when: "s3:CopyObject", "containing": "/evaluation/model.tar.gz"}
    with pipeline.crash("KeepModelFunction", **moment):
        run = pipeline.upload()
    assert run.ends().outcome == "pending"
    assert run.approve_by_mail() == 200
    assert run.is_over().outcome == "approved"


@pytest.mark.parametrize(
    "moment",
    [
        {"before": "dynamodb:PutItem", "containing": "link#"},
        {"after": "dynamodb:PutItem", "containing": "link#"},
        {"before": "dynamodb:UpdateItem", "containing": "package#"},
        {"after": "dynamodb:UpdateItem", "containing": "package#"},
        # The first one is the state machine's, about the champion.
        {"after": "sagemaker:DescribeModelPackage", "first": 2},
        {"before": "sns:Publish", "containing": "ApprovalTopic"},
    ],
    ids=lambda moment: " ".join(str(part) for item in moment.items() for part in item),
)
def test_a_request_for_approval_may_crash_at_any_moment_before_the_mail_and_asks_once(
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


def test_a_lost_response_of_sns_means_one_mail_too_many_and_not_one_too_few(pipeline: Pipeline) -> None:
    pipeline.fault("sns:Publish", containing="ApprovalTopic", drop="after")
    pipeline.fault("sns:Publish", containing="NotificationTopic", drop="after")
    run = pipeline.upload()
    assert run.ends().outcome == "pending"
    assert run.approve_by_mail() == 200
    assert run.is_over().outcome == "approved"
    eventually(lambda: (len(run.questions()), len(run.endings())) == (2, 2))
    assert run.questions()[0] == run.questions()[1]
    run.expects_a_mail_twice = True


@pytest.mark.parametrize(
    ("moment", "button"),
    [
        ({"before": "dynamodb:UpdateItem", "containing": "package#"}, ("decision", "approve")),
        ({"after": "dynamodb:UpdateItem", "containing": "package#"}, ("finish", "yes")),
        ({"before": "sagemaker:UpdateModelPackage"}, ("finish", "yes")),
        ({"after": "sagemaker:UpdateModelPackage"}, None),
    ],
    ids=str,
)
def test_a_decision_is_not_lost_when_the_review_page_crashes(
    pipeline: Pipeline, moment: dict[str, Any], button: tuple[str, str] | None
) -> None:
    run = pipeline.upload()
    run.ends()
    with ThreadPoolExecutor(1) as reviewer:
        with pipeline.crash("ReviewFunction", **moment):
            answer = reviewer.submit(run.approve_by_mail)
        assert answer.result() >= 500
    if button:
        assert run.approve_by_mail(button) == 200
    assert run.is_over().outcome == "approved"


@pytest.mark.parametrize(
    ("operation", "containing", "status", "button"),
    [
        ("dynamodb:GetItem", "link#", 503, ("decision", "approve")),
        ("dynamodb:GetItem", "package#", 503, ("decision", "approve")),
        ("dynamodb:UpdateItem", "package#", 503, ("decision", "approve")),
        # The decision is recorded then, and the page offers to retry.
        ("sagemaker:UpdateModelPackage", "", 200, ("finish", "yes")),
    ],
)
def test_a_reviewer_can_decide_again_after_a_call_of_the_page_failed(
    pipeline: Pipeline, operation: str, containing: str, status: int, button: tuple[str, str]
) -> None:
    run = pipeline.upload()
    run.ends()
    page, approve = run.open_link(), ("decision", "approve")
    form = page.form_with_button(*approve)
    pipeline.fault(operation, containing=containing, error="AccessDenied", status=403, times=None)
    assert browser.submit(page, form, form.filled({"reviewer": "Ada"}, approve)).status == status
    pipeline.heal()
    assert run.approve_by_mail(button) == 200
    assert run.is_over().outcome == "approved"


def test_the_page_appears_without_the_predictions_when_s3_does_not_answer(pipeline: Pipeline) -> None:
    run = pipeline.upload()
    run.ends()
    with pipeline.held("s3:GetObject", "/predictions/", times=None):
        assert run.open_link().status == 200
    assert run.approve_by_mail() == 200
    assert run.is_over().outcome == "approved"


def test_a_page_whose_record_does_not_answer_says_to_try_again(pipeline: Pipeline) -> None:
    run = pipeline.upload()
    run.ends()
    with pipeline.held("dynamodb:GetItem", "link#", times=None):
        page = run.open_link()
    assert (page.status, "Open the link from the mail again in a minute" in page.text) == (503, True)
    assert run.approve_by_mail() == 200
    assert run.is_over().outcome == "approved"


def test_one_call_of_the_page_that_hangs_is_retried(pipeline: Pipeline) -> None:
    run = pipeline.upload()
    run.ends()
    with pipeline.held("dynamodb:GetItem", "link#"):
        assert run.open_link().status == 200
    assert run.approve_by_mail() == 200
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
def test_resuming_may_crash_at_any_moment_when_its_event_is_redelivered(
    pipeline: Pipeline, moment: dict[str, Any]
) -> None:
    run = pipeline.upload()
    run.ends()
    with pipeline.crash("ResumePipelineFunction", **moment):
        run.decide("Approved")
    pipeline.invoke("ResumePipelineFunction", run.decision_event())
    assert run.is_over().outcome == "approved"
    run.reported()
    assert len(run.endings()) == 1


def test_a_decision_in_sagemaker_while_the_page_records_another_one_counts_everywhere(
    pipeline: Pipeline,
) -> None:
    run = pipeline.upload()
    run.ends()
    with ThreadPoolExecutor(1) as reviewer, pipeline.withheld("ResumePipelineFunctionPackageDecided"):
        with pipeline.held("dynamodb:UpdateItem", "package#"):
            answer = reviewer.submit(run.approve_by_mail)
            pipeline.until_met()
            run.decide("Rejected")
        assert answer.result() == 200
    pipeline.sweep()
    ending = run.is_over()
    assert (ending.outcome, ending.output["decision"]["overruled"].split(" at ")[0]) == (
        "rejected",
        "approved by Ada on the review page",
    )
    assert "approved by Ada on the review page" in run.reported().text
    assert pipeline.item(f"package#{run.packages()[0]}")["status"] == {"S": "REJECTED"}
    assert "The model is rejected." in run.open_link().text


def test_a_page_that_writes_after_the_run_resumed_with_another_decision_is_recorded_and_mailed(
    pipeline: Pipeline,
) -> None:
    run = pipeline.upload()
    run.ends()
    with ThreadPoolExecutor(1) as reviewer:
        with pipeline.held("sagemaker:UpdateModelPackage"):
            answer = reviewer.submit(run.approve_by_mail)
            pipeline.until_met()
            run.decide("Rejected")
            assert run.is_over().outcome == "rejected"
        assert answer.result() == 200
    package = f"package#{run.packages()[0]}"
    eventually(lambda: "changed_to" in pipeline.item(package))
    assert "The model is approved." in run.open_link().text
    subjects = [mail.subject.partition(":")[0] for mail in pipeline.mails() if run.run_id in mail.text]
    # One function tells the decision, and another one the end.
    assert sorted(subjects[-2:]) == ["Changed to approved", "Rejected"]
