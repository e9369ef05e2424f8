"""A decided package resumes its execution once, no matter who decided it, where, or how often the event comes."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from approval.records import decide_by_link, decide_in_sagemaker, hash_link, mark_package_updated
from approval.request import Decision
from handlers import resume_pipeline
from handlers.resume_pipeline import DecisionNotVisible
from shared.text import timestamp
from tests.unit.functions.conftest import World
from tests.unit.functions.requests import Asked, ask

NOW = datetime.now(UTC)


@pytest.fixture
def asked(world: World) -> Asked:
    return ask(world)


@pytest.fixture
def changed(context: Any) -> Any:
    """SageMaker's event about a package."""

    def deliver(arn: str, status: str) -> str:
        event = {"detail": {"ModelPackageArn": arn, "ModelApprovalStatus": status}}
        settled: str = resume_pipeline.handler(event, context)["settled"]
        return settled

    return deliver


def decide_on_the_page(asked: Asked, world: World, verdict: Any = "approved") -> None:
    decision = Decision(verdict, "Ada", "line one\nline two", "2026-03-01T09:41:12Z", "review page")
    assert decide_by_link(asked.record, hash_link(asked.link_id), decision, NOW)
    world.sagemaker.decide(asked.arn, verdict.capitalize(), by="the review page's role")
    mark_package_updated(asked.arn, NOW)


def test_a_decision_on_the_page_reaches_the_execution_with_its_reviewer_and_comment(
    world: World, asked: Asked, changed: Any
) -> None:
    decide_on_the_page(asked, world)
    assert changed(asked.arn, "Approved") == "resumed"
    assert [json.loads(result) for result in world.stepfunctions.results] == [
        {
            "decision": "approved",
            "reviewer": "Ada",
            "comment": "line one\nline two",
            "decided_at": "2026-03-01T09:41:12Z",
        }
    ]


def test_a_decision_in_studio_is_recorded_and_does_the_same(world: World, asked: Asked, changed: Any) -> None:
    world.sagemaker.decide(asked.arn, "Rejected", by="grace", why="too few rows")
    assert changed(asked.arn, "Rejected") == "resumed"
    assert json.loads(world.stepfunctions.results[0])["reviewer"] == "grace"
    item = world.item(f"package#{asked.arn}")
    assert (item["status"], item["reviewer"], item["comment"]) == ("REJECTED", "grace", "too few rows")
    assert (item["decided_via"], item["decided_at"]) == ("SageMaker", "2026-03-02T08:15:00Z")


def test_a_decision_by_an_iam_identity_is_recorded_under_its_name(
    world: World, asked: Asked, changed: Any
) -> None:
    world.sagemaker.decide(asked.arn, "Approved", by="")
    identity = {"Arn": "arn:aws:sts::000000000000:assumed-role/Admin/ada@example.com"}
    world.sagemaker.packages[asked.arn]["LastModifiedBy"] = {"IamIdentity": identity}
    changed(asked.arn, "Approved")
    assert asked.record.decision is not None
    assert asked.record.decision.reviewer == "ada@example.com"


def test_a_decision_by_an_unknown_person_is_recorded(world: World, asked: Asked, changed: Any) -> None:
    world.sagemaker.packages[asked.arn]["ModelApprovalStatus"] = "Approved"
    changed(asked.arn, "Approved")
    assert asked.record.decision is not None
    assert asked.record.decision.reviewer == "someone in SageMaker"


@pytest.mark.parametrize("status", ["Approved", "Rejected"])
def test_a_forged_event_decides_nothing(
    world: World, asked: Asked, changed: Any, log: Any, status: str
) -> None:
    before = world.items()
    with pytest.raises(DecisionNotVisible, match=f"^{asked.arn}$"):
        changed(asked.arn, status)
    assert world.items() == before
    assert world.stepfunctions.results == []
    assert world.mails() == []


def test_a_decision_that_sagemaker_shows_a_moment_later_is_passed_on_by_the_same_event(
    world: World, asked: Asked, changed: Any
) -> None:
    world.sagemaker.decide(asked.arn, "Approved", by="grace")
    world.sagemaker.stale_reads = 2
    assert changed(asked.arn, "Approved") == "resumed"
    assert json.loads(world.stepfunctions.results[0])["reviewer"] == "grace"


def test_a_decision_that_sagemaker_shows_a_minute_later_is_passed_on_when_the_event_comes_again(
    world: World, asked: Asked, changed: Any
) -> None:
    world.sagemaker.decide(asked.arn, "Approved", by="grace")
    world.sagemaker.stale_reads = 5
    with pytest.raises(DecisionNotVisible):
        changed(asked.arn, "Approved")
    assert asked.record.decision is None
    assert changed(asked.arn, "Approved") == "resumed"


def test_the_package_prevails_over_an_old_event(world: World, asked: Asked, changed: Any) -> None:
    world.sagemaker.decide(asked.arn, "Rejected", by="grace")
    changed(asked.arn, "Approved")
    assert json.loads(world.stepfunctions.results[0])["decision"] == "rejected"


def test_the_packages_decision_replaces_the_recorded_one_which_is_kept(
    world: World, asked: Asked, changed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    decide_on_the_page(asked, world, "approved")
    world.sagemaker.decide(asked.arn, "Rejected", by="grace", why="too few rows")
    assert changed(asked.arn, "Rejected") == "resumed"
    assert json.loads(world.stepfunctions.results[0]) == {
        "decision": "rejected",
        "reviewer": "grace",
        "comment": "too few rows",
        "decided_at": "2026-03-02T08:15:00Z",
        "overruled": "approved by Ada on the review page at 2026-03-01 09:41 UTC",
    }
    item = world.item(f"package#{asked.arn}")
    assert (item["status"], item["reviewer"], item["decided_via"]) == ("REJECTED", "grace", "SageMaker")
    assert asked.record.overruled == Decision(
        "approved", "Ada", "line one\nline two", "2026-03-01T09:41:12Z", "review page"
    )
    assert '"ApprovalContradicted":[1.0]' in capsys.readouterr().out


def test_a_decision_in_sagemaker_overrules_one_recorded_a_moment_earlier_on_the_page(
    world: World, asked: Asked, changed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sagemaker.decide(asked.arn, "Rejected", by="grace")
    original = decide_in_sagemaker

    def decided_on_the_page_first(arn: str, decision: Decision) -> bool:
        page = Decision("approved", "Ada", "", "2026-03-01T09:41:12Z", "review page")
        assert decide_by_link(asked.record, hash_link(asked.link_id), page, NOW)
        return original(arn, decision)

    monkeypatch.setattr("approval.packages.decide_in_sagemaker", decided_on_the_page_first)
    assert changed(asked.arn, "Rejected") == "resumed"
    assert json.loads(world.stepfunctions.results[0])["decision"] == "rejected"
    assert world.item(f"package#{asked.arn}")["status"] == "REJECTED"


def test_a_change_of_mind_in_sagemaker_after_the_run_went_on_is_recorded_and_mailed_once(
    world: World, asked: Asked, changed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    decide_on_the_page(asked, world, "approved")
    changed(asked.arn, "Approved")
    world.sagemaker.decide(asked.arn, "Rejected", by="grace", why="Found a mistake")
    assert [changed(asked.arn, "Rejected") for _ in range(3)] == ["changed"] + ["already resumed"] * 2
    ((subject, text),) = world.mails(world.notification_topic)
    assert subject == "Changed to rejected: model mpg-20260301-0925-3fa85f64"
    for words in ("rejected by grace in SageMaker", "approved by Ada on the review page", "Found a mistake"):
        assert words in text
    record = asked.record
    assert (record.decision and record.decision.reviewer, record.overruled) == ("Ada", None)
    assert record.changed_to is not None
    assert record.changed_to.verdict == "rejected"
    assert "ApprovalContradicted" not in capsys.readouterr().out


def test_a_change_that_could_not_be_mailed_is_mailed_when_its_event_comes_again(
    world: World, asked: Asked, changed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide_on_the_page(asked, world, "approved")
    changed(asked.arn, "Approved")
    world.sagemaker.decide(asked.arn, "Rejected", by="grace")
    with monkeypatch.context() as patch:
        patch.setattr("approval.outcomes.send", _fail)
        with pytest.raises(ConnectionError):
            changed(asked.arn, "Rejected")
    assert changed(asked.arn, "Rejected") == "changed"
    assert len(world.mails()) == 1


def test_the_time_to_a_decision_is_measured_in_hours(
    world: World, changed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ask(world, hours_ago=3)
    decision = Decision("approved", "Ada", "", timestamp(datetime.now(UTC)), "review page")
    assert decide_by_link(asked.record, hash_link(asked.link_id), decision, NOW - timedelta(hours=3))
    world.sagemaker.decide(asked.arn, "Approved", by="the review page's role")
    changed(asked.arn, "Approved")
    assert '"TimeToDecisionHours":[3.0' in capsys.readouterr().out


def test_a_decision_that_a_redrive_repeats_is_not_measured(
    world: World, asked: Asked, changed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    decide_on_the_page(asked, world)
    changed(asked.arn, "Approved")
    printed = capsys.readouterr().out
    assert "PipelineResumed" in printed
    assert "TimeToDecisionHours" not in printed


def test_the_same_event_ten_times_resumes_once(world: World, asked: Asked, changed: Any) -> None:
    decide_on_the_page(asked, world)
    settled = [changed(asked.arn, "Approved") for _ in range(10)]
    assert settled == ["resumed"] + ["already resumed"] * 9
    assert len(world.stepfunctions.results) == 1
    assert world.mails() == []


def test_a_used_token_is_not_kept(world: World, asked: Asked, changed: Any) -> None:
    decide_on_the_page(asked, world)
    changed(asked.arn, "Approved")
    assert "task_token" not in world.item(f"package#{asked.arn}")


def test_a_crash_between_resuming_and_marking_it_is_harmless(
    world: World, asked: Asked, changed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide_on_the_page(asked, world)
    with monkeypatch.context() as patch:
        patch.setattr("approval.resuming.mark_resumed", _die)
        with pytest.raises(KeyboardInterrupt):
            changed(asked.arn, "Approved")
    world.stepfunctions.executions[asked.execution_arn]["status"] = "RUNNING"
    assert changed(asked.arn, "Approved") == "already resumed"
    world.stepfunctions.end(asked.execution_arn, "SUCCEEDED", output='{"outcome": "approved"}')
    assert changed(asked.arn, "Approved") == "already resumed"
    assert world.mails() == []


def test_a_redriven_execution_gets_the_decision_again(world: World, asked: Asked, changed: Any) -> None:
    decide_on_the_page(asked, world)
    changed(asked.arn, "Approved")
    ask(world)
    assert changed(asked.arn, "Approved") == "resumed"
    assert len(world.stepfunctions.results) == 2


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        ("SUCCEEDED", {"output": '{"outcome": "expired"}'}),
        ("FAILED", {"error": "ApprovalRequestFailed"}),
        ("ABORTED", {}),
        ("TIMED_OUT", {}),
    ],
)
def test_a_decision_after_the_end_is_recorded_and_mailed_once(
    world: World, asked: Asked, changed: Any, status: str, fields: dict[str, Any]
) -> None:
    world.stepfunctions.end(asked.execution_arn, status, **fields)
    world.sagemaker.decide(asked.arn, "Approved", by="grace", why="late but good")
    assert [changed(asked.arn, "Approved") for _ in range(3)] == ["too late"] * 3
    ((subject, text),) = world.mails(world.notification_topic)
    assert subject == "Approved after the run's end: model mpg-20260301-0925-3fa85f64"
    assert "grace" in text
    assert "late but good" in text
    item = world.item(f"package#{asked.arn}")
    assert item["status"] == "APPROVED"
    assert item["too_late_at"]


def test_a_decision_long_after_step_functions_deleted_the_execution_is_mailed(
    world: World, asked: Asked, changed: Any
) -> None:
    world.stepfunctions.end(asked.execution_arn, "SUCCEEDED")
    del world.stepfunctions.executions[asked.execution_arn]
    world.sagemaker.decide(asked.arn, "Approved", by="grace")
    assert changed(asked.arn, "Approved") == "too late"


@pytest.mark.parametrize("status", ["PendingManualApproval", "", "SomethingNew"])
def test_other_changes_are_ignored(world: World, asked: Asked, changed: Any, status: str) -> None:
    assert changed(asked.arn, status) == "no decision"
    assert asked.record.decision is None
    assert world.stepfunctions.results == []


def test_packages_without_a_request_are_ignored(world: World, changed: Any) -> None:
    assert changed("arn:aws:sagemaker:us-east-1:000000000000:model-package/other/7", "Approved") == "unknown"
    assert world.items() == []


def test_a_failure_of_step_functions_is_raised_for_a_retry_without_the_token(
    world: World, asked: Asked, changed: Any, log: Any
) -> None:
    decide_on_the_page(asked, world)
    world.stepfunctions.broken = "ThrottlingException"
    with pytest.raises(Exception, match=r"^ThrottlingException$") as raised:
        changed(asked.arn, "Approved")
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert asked.token not in log.getvalue()
    world.stepfunctions.broken = ""
    assert changed(asked.arn, "Approved") == "resumed"


def _fail(*_: object) -> None:
    raise ConnectionError


def _die(*_: object) -> None:
    raise KeyboardInterrupt
