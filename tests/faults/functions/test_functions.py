"""Functions that check, ask and decide crash at the worst moments: nobody is asked twice, no decision is lost."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.cli import browser
from tests.conftest import eventually
from tests.faults.pipeline import Pipeline
from tests.faults.run import RUN_SECONDS, Run

# In the order in which a run gets there; each is the first such call of another attempt.
CRASHES: list[tuple[str, dict[str, Any]]] = [
    ("CheckUploadFunction", {"before": "s3:CopyObject", "containing": "/input/upload.csv"}),
    ("CheckUploadFunction", {"after": "s3:CopyObject", "containing": "/input/upload.csv"}),
    ("KeepModelFunction", {"before": "s3:CopyObject", "containing": "/evaluation/model.tar.gz"}),
    ("KeepModelFunction", {"after": "s3:CopyObject", "containing": "/evaluation/model.tar.gz"}),
    # The first one is the state machine's, about the champion.
    ("RequestApprovalFunction", {"after": "sagemaker:DescribeModelPackage", "first": 2}),
    ("RequestApprovalFunction", {"before": "dynamodb:PutItem", "containing": "link#"}),
    ("RequestApprovalFunction", {"after": "dynamodb:PutItem", "containing": "link#"}),
    ("RequestApprovalFunction", {"before": "dynamodb:UpdateItem", "containing": "package#"}),
    ("RequestApprovalFunction", {"after": "dynamodb:UpdateItem", "containing": "package#"}),
    ("RequestApprovalFunction", {"before": "sns:Publish", "containing": "ApprovalTopic"}),
]


def test_the_functions_of_a_run_may_crash_at_any_moment_before_the_mail_and_it_asks_once(
    pipeline: Pipeline,
) -> None:
    with pipeline.crash_again_and_again(*CRASHES):
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
    ("moments", "button"),
    [
        # Nothing is decided at the first of these, and the second is that of the next decision.
        (
            [
                {"before": "dynamodb:UpdateItem", "containing": "package#"},
                {"before": "sagemaker:UpdateModelPackage"},
            ],
            ("finish", "yes"),
        ),
        ([{"after": "dynamodb:UpdateItem", "containing": "package#"}], ("finish", "yes")),
    ],
    ids=str,
)
def test_a_decision_is_not_lost_when_the_review_page_crashes(
    pipeline: Pipeline, moments: list[dict[str, Any]], button: tuple[str, str]
) -> None:
    run = pipeline.upload()
    run.ends()
    for moment in moments:
        crash_while_approving(pipeline, run, moment)
    assert run.approve_by_mail(button) == 200
    assert run.is_over().outcome == "approved"


def crash_while_approving(pipeline: Pipeline, run: Run, moment: dict[str, Any]) -> None:
    """The page is killed while it records the decision to approve."""
    with ThreadPoolExecutor(1) as reviewer:
        with pipeline.crash("ReviewFunction", **moment):
            answer = reviewer.submit(run.approve_by_mail)
        assert answer.result() >= 500, moment


def test_a_reviewer_can_decide_again_after_calls_of_the_page_failed(pipeline: Pipeline) -> None:
    run = pipeline.upload()
    run.ends()
    page, approve = run.open_link(), ("decision", "approve")
    form = page.form_with_button(*approve)
    for operation, containing, status in (
        ("dynamodb:GetItem", "link#", 503),
        ("dynamodb:GetItem", "package#", 503),
        ("dynamodb:UpdateItem", "package#", 503),
        # The decision is recorded then, and the page offers to retry.
        ("sagemaker:UpdateModelPackage", "", 200),
    ):
        pipeline.fault(operation, containing=containing, error="AccessDenied", status=403, times=None)
        answer = browser.submit(page, form, form.filled({"reviewer": "Ada"}, approve))
        assert answer.status == status, (operation, containing)
        (fault,) = pipeline.heal()
        assert fault["applied"], (operation, containing)
        button = ("finish", "yes") if status == 200 else approve
        assert run.open_link().form_with_button(*button), (operation, containing)
    assert run.approve_by_mail(button) == 200
    assert run.is_over().outcome == "approved"


def test_a_page_whose_calls_hang_appears_or_says_to_try_again_and_crashes_after_the_decision_lose_nothing(
    pipeline: Pipeline,
) -> None:
    run = pipeline.upload()
    run.ends()
    # S3 does not return what the page only draws.
    with pipeline.held("s3:GetObject", "/predictions/", times=None):
        assert run.open_link().status == 200
    # One read of its record hangs.
    with pipeline.held("dynamodb:GetItem", "link#"):
        assert run.open_link().status == 200
    # Every one does.
    with pipeline.held("dynamodb:GetItem", "link#", times=None):
        page = run.open_link()
    assert (page.status, "Open the link from the mail again in a minute" in page.text) == (503, True)
    crash_while_approving(pipeline, run, {"after": "sagemaker:UpdateModelPackage"})
    assert run.is_over().outcome == "approved"


@pytest.mark.parametrize(
    "moments",
    [
        [{"before": "states:SendTaskSuccess"}, {"after": "states:SendTaskSuccess"}],
        [{"before": "dynamodb:UpdateItem", "containing": "resumed_at"}],
    ],
    ids=str,
)
def test_resuming_may_crash_at_any_moment_when_its_event_is_redelivered(
    pipeline: Pipeline, moments: list[dict[str, Any]]
) -> None:
    run = pipeline.upload()
    run.ends()
    with pipeline.crash_again_and_again(*(("ResumePipelineFunction", moment) for moment in moments)):
        # Lambda retries the event by itself.
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
