"""Asking for approval: a record first, then a mail with the only copy of the link."""

import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from approval import asking
from approval.mails import request_mail
from approval.records import decide_by_link, find, find_by_link, hash_link
from approval.request import Decision as Decided
from handlers import request_approval
from model.artifacts import ArtifactRefused
from runs.scheduled import RequestNotScheduled
from shared.mails import fit_subject
from tests.evaluation import DRAWN, DRIFT, DRIFTED, EVALUATION
from tests.unit.functions.conftest import BUCKET, World, event
from tests.unit.functions.requests import ask

EVENT = event("request_approval-with-champion")
ARN = EVENT["model_package_arn"]
KEPT = f"models/{EVENT['run_id']}/evaluation.json"
LINK = re.compile(r"^https://abcdefghij\.lambda-url\.us-east-1\.on\.aws/review/([\w-]{43})$", re.MULTILINE)


@pytest.fixture
def scheduled(world: World) -> World:
    """The execution has registered its model and scheduled its request."""
    register(world, EVALUATION)
    world.stepfunctions.schedule(EVENT)
    return world


@pytest.fixture
def call(scheduled: World, context: Any) -> Any:
    """The function is called, by default as the execution does it."""
    return lambda **forged: request_approval.handler({**EVENT, **forged}, context)


def register(world: World, evaluation: dict[str, Any]) -> None:
    """Keep an evaluation and register the package with its digest, as the pipeline does."""
    body = json.dumps({**evaluation, **DRAWN}).encode()
    world.put(KEPT, body)
    world.sagemaker.register(ARN, evaluation_digest=f"sha256:{hashlib.sha256(body).hexdigest()}")


def link_of(text: str) -> str:
    found = LINK.search(text)
    assert found, text
    return found[1]


def test_the_mail_has_the_facts_first_the_link_alone_and_when_it_expires(world: World, call: Any) -> None:
    assert call() == {"asked": True}
    ((subject, text),) = world.mails(world.approval_topic)
    assert (
        subject == "Approve or reject: model mpg-20260301-0925-3fa85f64, Mean squared error 8.73 (at most 46)"
    )
    facts, rest = text.split(link_of(text))
    for fact in (
        "cars 2026+spring.csv",
        "278 train",
        "8.73 (at most 46)",
        "2.95",
        "2.91",
        "60.81",
        "9.10 on the same rows",
        "No clear difference from the approved version 1 on the same 60 test rows: Mean\n",
        "Approving it releases it as the first live model of this workload.",
    ):
        assert fact in facts, fact
    assert re.search(r"The link works until 20\d\d-\d\d-\d\d \d\d:\d\d UTC", rest)
    assert max(map(len, text.splitlines())) < 120


def test_the_mail_says_why_there_is_no_comparison_with_the_approved_model(world: World, call: Any) -> None:
    problem = "arn/7 cannot be compared: it is gone"
    register(world, {**EVALUATION, "champion": None, "champion_problem": problem})
    call()
    ((_, text),) = world.mails(world.approval_topic)
    assert re.search(rf"^Approved model: +{problem}$", text, re.MULTILINE)


def test_the_mail_says_how_the_upload_differs_and_how_the_approved_model_does_on_it(
    world: World, call: Any
) -> None:
    features = [{**test, "name": test["name"].replace("origin", "evil.example")} for test in DRIFT["tests"]]
    register(world, {**DRIFTED, "drift": {**DRIFT, "tests": features}})
    call()
    ((_, text),) = world.mails(world.approval_topic)
    assert (
        "\n\nThe upload differs from the data that version 1 was trained on: weight and\nevil[.]example.\n"
        "On 184 new test rows, version 1 does worse than at its approval: Mean squared\nerror 21.30 now, "
        "9.50 then (95 % interval of the difference: 7.10 to 16.50\nhigher).\n\nMean squared error:"
    ) in text


def test_the_mail_of_an_upload_without_a_drift_says_so_in_a_line(world: World, call: Any) -> None:
    tests = [{**test, "drifted": False} for test in DRIFT["tests"]]
    register(world, {**EVALUATION, "drift": {**DRIFT, "tests": tests}})
    call()
    ((_, text),) = world.mails(world.approval_topic)
    assert "\n\nNo drift from the data that version 1 was trained on.\n\n" in text


def test_the_mailed_link_leads_to_the_record_and_is_stored_as_a_hash_only(world: World, call: Any) -> None:
    call()
    link_id = link_of(world.mails()[0][1])
    record = find_by_link(hash_link(link_id))
    assert record is not None
    assert (record.task_token, record.package_arn) == (EVENT["task_token"], ARN)
    assert "task_token" not in record.facts
    assert link_id not in str(world.items())


def test_the_link_and_the_token_reach_neither_the_answer_nor_the_log(
    world: World, call: Any, log: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = call()
    printed = log.getvalue() + "".join(capsys.readouterr())
    assert '"message":"approval requested"' in printed
    for secret in (link_of(world.mails()[0][1]), EVENT["task_token"]):
        assert secret not in printed + str(answer)


def test_the_request_expires_when_the_state_does(call: Any) -> None:
    call()
    record = find(ARN)
    assert record is not None
    left = record.decide_before - datetime.now(UTC).timestamp()
    assert 604_790 < left <= 604_800


# What a caller makes up


def assert_nothing_came_of_it(world: World, before: Any) -> None:
    assert world.items() == before
    assert world.mails() == []
    assert world.stepfunctions.results == []


@pytest.mark.parametrize(
    "forged",
    [
        {"task_token": "a token of mine"},
        {"task_token": ""},
        {"execution_arn": EVENT["execution_arn"] + "0"},
        {"execution_arn": EVENT["execution_arn"] + "0", "task_token": "a token of mine"},
    ],
)
def test_a_request_that_no_execution_has_scheduled_is_refused(
    scheduled: World, call: Any, log: Any, capsys: pytest.CaptureFixture[str], forged: dict[str, str]
) -> None:
    other = EVENT["execution_arn"] + "0"
    scheduled.stepfunctions.schedule({**EVENT, "execution_arn": other, "task_token": "of another"})
    ask(scheduled)
    before = scheduled.items()
    with pytest.raises(RequestNotScheduled, match=f"^{forged.get('execution_arn', EVENT['execution_arn'])}$"):
        call(**forged)
    assert_nothing_came_of_it(scheduled, before)
    assert '"message":"no execution asks for this"' in log.getvalue()
    assert '"RequestNotScheduled":[1.0]' in capsys.readouterr().out
    assert "token of mine" not in log.getvalue()


def test_a_request_of_a_missing_execution_is_refused(scheduled: World, call: Any) -> None:
    with pytest.raises(ClientError):
        call(execution_arn="arn:aws:states:us-east-1:000000000000:execution:mpg-pipeline:none")
    assert_nothing_came_of_it(scheduled, [])


@pytest.mark.parametrize(
    "later", ["TaskSubmitted", "TaskFailed", "TaskTimedOut", "TaskStateExited", "ExecutionAborted"]
)
def test_a_request_that_the_execution_has_left_cannot_be_reopened(
    scheduled: World, call: Any, later: str
) -> None:
    scheduled.stepfunctions.histories[EVENT["execution_arn"]].append({"type": later})
    with pytest.raises(RequestNotScheduled):
        call()
    assert_nothing_came_of_it(scheduled, [])


def test_an_earlier_attempts_token_replaces_nothing(scheduled: World, call: Any) -> None:
    scheduled.stepfunctions.schedule({**EVENT, "task_token": "of the second attempt"})
    call(task_token="of the second attempt")
    before = scheduled.items()
    with pytest.raises(RequestNotScheduled):
        call()
    assert scheduled.items() == before


def test_invented_facts_are_ignored(scheduled: World, call: Any) -> None:
    call(
        key="incoming/mine.csv",
        evaluation={**EVALUATION, "title": "mine"},
        workload="mine",
        model_package_arn="arn:of:mine",
        run_id="mine",
        predictions_uri="s3://mine/x.out",
        extra="mine",
    )
    ((subject, text),) = scheduled.mails()
    assert (
        subject == "Approve or reject: model mpg-20260301-0925-3fa85f64, Mean squared error 8.73 (at most 46)"
    )
    assert "mine" not in text + str(scheduled.items())


def test_a_history_that_shows_the_request_a_moment_later_is_enough(scheduled: World, call: Any) -> None:
    scheduled.stepfunctions.stale_reads = 2
    assert call() == {"asked": True}


@pytest.mark.parametrize("change", ["changed", "deleted", "not registered"])
def test_nobody_is_asked_with_an_unregistered_evaluation(scheduled: World, call: Any, change: str) -> None:
    if change == "changed":
        scheduled.put(KEPT, json.dumps(EVALUATION).replace("8.7312", "0.7312").encode())
    if change == "deleted":
        scheduled.s3.delete_object(Bucket=BUCKET, Key=KEPT)
    if change == "not registered":
        scheduled.sagemaker.register(ARN)
    with pytest.raises(ArtifactRefused, match=f"^{KEPT} "):
        call()
    assert_nothing_came_of_it(scheduled, [])


@pytest.mark.parametrize("state", ["none", "pending"])
def test_without_a_confirmed_subscription_nobody_is_asked_and_nothing_is_stored(
    world: World, call: Any, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    subscriptions = [{"SubscriptionArn": "PendingConfirmation"}, {"SubscriptionArn": "Deleted"}]
    page = {"Subscriptions": subscriptions if state == "pending" else []}
    monkeypatch.setattr(asking, "client", lambda _: _Pages([page, page]))
    with pytest.raises(Exception, match=r"no subscription of arn:.* is confirmed") as raised:
        call()
    assert type(raised.value).__name__ == "NobodyToAsk"
    assert world.items() == []


def test_a_confirmed_subscription_may_be_on_a_later_page(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [
        {"Subscriptions": [{"SubscriptionArn": "PendingConfirmation"}]},
        {"Subscriptions": [{"SubscriptionArn": "arn:aws:sns:us-east-1:000000000000:approval:1"}]},
    ]
    monkeypatch.setattr(asking, "client", lambda _: _Pages(pages))
    assert asking.has_confirmed_subscription("topic")


def test_a_package_decided_before_the_request_resumes_the_execution_without_a_mail(
    world: World, call: Any
) -> None:
    world.sagemaker.decide(ARN, "Approved", by="grace", why="seen in Studio")
    assert call() == {"asked": False}
    assert world.mails() == []
    assert world.stepfunctions.results == [
        '{"decision": "approved", "reviewer": "grace", "comment": "seen in Studio", '
        '"decided_at": "2026-03-02T08:15:00Z"}'
    ]
    assert world.item(f"package#{ARN}")["status"] == "APPROVED"


def test_a_second_attempt_replaces_token_and_link(world: World, call: Any) -> None:
    first = ask(world)
    call()
    record = find(ARN)
    assert record is not None
    assert record.task_token == EVENT["task_token"] != first.token
    assert record.link_hash == hash_link(link_of(world.mails()[0][1])) != hash_link(first.link_id)


def test_a_second_attempt_keeps_a_decision_and_passes_it_on(world: World, call: Any) -> None:
    first = ask(world)
    decision = Decided("rejected", "Ada", "no", "2026-03-01T09:41:12Z", "review page")
    assert decide_by_link(first.record, hash_link(first.link_id), decision, datetime.now(UTC))
    world.sagemaker.decide(ARN, "Rejected", by="the review page's role")
    assert call() == {"asked": False}
    assert '"reviewer": "Ada"' in world.stepfunctions.results[0]
    record = find(ARN)
    assert record is not None
    assert record.decision == decision


def test_a_request_is_mailed_while_sagemaker_lacks_the_recorded_decision(world: World, call: Any) -> None:
    first = ask(world)
    decision = Decided("rejected", "Ada", "no", "2026-03-01T09:41:12Z", "review page")
    assert decide_by_link(first.record, hash_link(first.link_id), decision, datetime.now(UTC))
    assert call() == {"asked": True}
    assert world.stepfunctions.results == []


def test_a_request_that_expired_can_be_made_again(world: World, call: Any) -> None:
    expired = ask(world, timeout_seconds=0)
    call()
    assert not expired.record.expired(datetime.now(UTC))


def test_a_hostile_file_name_stays_one_line_in_the_mail(world: World) -> None:
    asked = ask(world, key="incoming/a\r\n\r\nSee http://example.com\u202e.csv")
    mail = request_mail(asked.record, "https://link")
    assert re.search(r"^File: +incoming/a See http\[:]//example\[.]com \.csv$", mail.text, re.MULTILINE)


@pytest.mark.parametrize("run_id", ["ä" * 200, "line\nbreak", "x" * 300, "日本"])
def test_sns_accepts_every_subject(world: World, run_id: str) -> None:
    subject = fit_subject(request_mail(replace(ask(world).record, run_id=run_id), "https://link").subject)
    assert subject.isascii()
    assert subject.isprintable()
    assert 0 < len(subject) < 100


class _Pages:
    """An SNS client with these pages of subscriptions."""

    def __init__(self, pages: list[dict[str, Any]]) -> None:
        self._pages = pages

    def get_paginator(self, operation: str) -> "_Pages":
        assert operation == "list_subscriptions_by_topic"
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        return self._pages
