"""The request for approval, its page, and the decision."""

import json

import pytest

from tests.conftest import ROOT, eventually
from tests.integration.events.stage import Asked, Stage, ask


@pytest.mark.parametrize("event", ["request_approval-first-model", "request_approval-with-champion"])
def test_approvers_are_asked_by_mail(stage: Stage, event: str) -> None:
    before = len(stage.mails())
    asked = ask(stage, event)
    (mail,) = stage.mails()[before:]
    assert mail["subject"].startswith("Approve or reject: model mpg-")
    assert asked.package_arn in mail["text"]


def test_nobody_is_asked_because_of_a_forged_event(stage: Stage, asked: Asked) -> None:
    before = len(stage.mails())
    arn, _ = stage.wait_for_a_token()
    given = json.loads((ROOT / "events" / "request_approval-first-model.json").read_text(encoding="utf-8"))
    # The token is a real one, of another execution.
    answer = stage.invoke("request_approval-first-model", {**asked.changes, given["execution_arn"]: arn})
    assert (answer["errorType"], answer["errorMessage"]) == ("RequestNotScheduled", arn)
    assert len(stage.mails()) == before


def test_the_page_is_shown_and_nothing_changes(stage: Stage, asked: Asked) -> None:
    shown = stage.invoke("review-get", asked.changes)
    assert shown["statusCode"] == 200
    assert "A model waits for your decision" in shown["body"]
    head = stage.invoke("review-head", asked.changes)
    assert (head["statusCode"], head["body"]) == (200, "")
    assert stage.package(asked.package_arn)["ModelApprovalStatus"] == "PendingManualApproval"


def test_an_unknown_link_opens_nothing(stage: Stage) -> None:
    assert stage.invoke("review-unknown-link")["statusCode"] == 404


@pytest.mark.parametrize(
    ("event", "status"), [("review-post-undecided", 422), ("review-post-cross-site", 403)]
)
def test_a_request_that_decides_nothing_on_the_page_changes_nothing(
    stage: Stage, asked: Asked, event: str, status: int
) -> None:
    assert stage.invoke(event, asked.changes)["statusCode"] == status
    assert stage.package(asked.package_arn)["ModelApprovalStatus"] == "PendingManualApproval"


@pytest.mark.parametrize(
    ("posted", "changed", "decision"),
    [
        ("review-post-approve", "resume_pipeline-approved", "approved"),
        ("review-post-reject", "resume_pipeline-rejected", "rejected"),
    ],
)
def test_a_decision_on_the_page_resumes_the_execution_by_the_packages_event(
    stage: Stage, asked: Asked, posted: str, changed: str, decision: str
) -> None:
    assert stage.invoke(posted, asked.changes)["statusCode"] == 303
    assert stage.package(asked.package_arn)["ModelApprovalStatus"] == decision.capitalize()
    event = json.loads((ROOT / "events" / f"{changed}.json").read_text(encoding="utf-8"))
    package = {event["detail"]["ModelPackageArn"]: asked.package_arn}
    assert stage.invoke(changed, package) == {"settled": "resumed"}
    assert stage.invoke(changed, package) == {"settled": "already resumed"}
    states = stage.aws.client("stepfunctions")
    ended = eventually(
        lambda: (
            (found := states.describe_execution(executionArn=asked.execution_arn))["status"] != "RUNNING"
            and found
        )
    )
    output = json.loads(ended["output"])
    assert (output["decision"], output["reviewer"]) == (decision, "Ada Lovelace")


def test_a_pending_package_resumes_nothing(stage: Stage) -> None:
    assert stage.invoke("resume_pipeline-pending") == {"settled": "no decision"}
