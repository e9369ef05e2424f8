"""Deciding without the page (in Studio, with the AWS CLI or boto3) works the same, even when it is too late."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.conftest import eventually
from tests.e2e.up import Asked, Up, ask
from tests.e2e.visitor import approve, look


def resume(asked: Asked, status: str) -> str:
    """Send `resume_pipeline` the event of a change of the package once more; returns its result."""
    detail = {
        "ModelPackageArn": asked.package_arn,
        "ModelPackageGroupName": "mpg-local",
        "ModelApprovalStatus": status,
    }
    answer = asked.up.invoke("ResumePipelineFunction", {"source": "aws.sagemaker", "detail": detail})
    return str(answer["settled"])


@contextmanager
def short_waits(up: Up) -> Iterator[None]:
    """While entered, new runs wait three seconds for their approval instead of days."""
    states, arn = up.client("stepfunctions"), up.outputs["StateMachineArn"]
    definition = states.describe_state_machine(stateMachineArn=arn)["definition"]
    shorter = json.loads(definition)
    shorter["States"]["Ask for approval"]["TimeoutSeconds"] = 3
    states.update_state_machine(stateMachineArn=arn, definition=json.dumps(shorter))
    try:
        yield
    finally:
        states.update_state_machine(stateMachineArn=arn, definition=definition)


def test_an_approval_in_sagemaker_ends_the_run_and_is_recorded(asked: Asked) -> None:
    asked.decide_in_sagemaker("Approved", "Looks good to me")
    output = asked.end()
    assert output["outcome"] == "approved"
    assert output["decision"]["comment"] == "Looks good to me"
    record = eventually(lambda: asked.record if "resumed_at" in asked.record else None)
    assert record.items() >= {
        ("status", "APPROVED"),
        ("comment", "Looks good to me"),
        ("decided_via", "SageMaker"),
    }
    asked.final_mail("Approved: ")


def test_the_page_shows_a_rejection_in_sagemaker_and_does_not_override_it(asked: Asked) -> None:
    asked.decide_in_sagemaker("Rejected", "Not this one")
    # At once, whether or not the event has arrived.
    answer = approve(asked.link)
    assert answer.status == 409
    assert re.search("The model is rejected. Decided in SageMaker. Not this one", answer.text)
    assert asked.end()["outcome"] == "rejected"
    assert asked.package["ModelApprovalStatus"] == "Rejected"


def test_duplicate_or_late_events_do_nothing(asked: Asked) -> None:
    assert resume(asked, "PendingManualApproval") == "no decision"
    approve(asked.link)
    before = asked.end()
    record = eventually(lambda: asked.record if "resumed_at" in asked.record else None)
    assert [resume(asked, "Approved"), resume(asked, "Approved")] == ["already resumed"] * 2
    # One from before the decision, or from a later change of the package.
    assert resume(asked, "Rejected") == "already resumed"
    assert asked.end() == before
    assert asked.record == record
    asked.final_mail("Approved: ")


def test_a_later_change_of_mind_in_sagemaker_is_recorded_and_mailed_and_leaves_the_run_alone(
    asked: Asked,
) -> None:
    approve(asked.link, "Ada Lovelace")
    before = asked.end()
    asked.final_mail("Approved: ")
    asked.decide_in_sagemaker("Rejected", "Found a mistake")
    eventually(lambda: "changed_to" in asked.record)
    assert resume(asked, "Rejected") == "already resumed"
    assert asked.end() == before
    assert (asked.record["status"], asked.record["reviewer"]) == ("APPROVED", "Ada Lovelace")
    _, changed = asked.up.mails("NotificationTopic", asked.run_id)
    assert changed.subject.startswith("Changed to rejected: ")
    assert "Found a mistake" in changed.text
    page = look(asked.link).text
    assert "The model is rejected. Decided in SageMaker. Found a mistake" in page
    assert "It was also approved by Ada Lovelace" in page


def test_a_run_that_nobody_answers_ends_as_expired_and_a_later_decision_is_recorded_and_mailed(
    up: Up,
) -> None:
    with short_waits(up):
        asked = ask(up)
    asked.let_expire()
    output = asked.end()
    assert output["outcome"] == "expired"
    assert asked.package["ModelApprovalStatus"] == "PendingManualApproval"
    assert "still is PendingManualApproval" in asked.final_mail("Expired: ").text
    assert approve(asked.link).status == 410

    asked.decide_in_sagemaker("Approved", "Late, but yes")
    assert "too_late_at" in eventually(lambda: asked.record if "too_late_at" in asked.record else None)
    assert (asked.record["status"], asked.record["comment"]) == ("APPROVED", "Late, but yes")
    _, late = eventually(lambda: both(up.mails("NotificationTopic", asked.run_id)))
    assert late.subject.startswith("Approved after the run's end")
    assert "Late, but yes" in late.text
    assert resume(asked, "Approved") == "too late"
    assert asked.end() == output
    assert len(up.mails("NotificationTopic", asked.run_id)) == 2
    assert "Already decided by someone in SageMaker" in look(asked.link).text


def both(mails: list[Any]) -> list[Any] | None:
    return mails if len(mails) == 2 else None
