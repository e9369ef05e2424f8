"""The mailed link, from the mail to the run's end, over HTTP: what it shows and does, and who is notified.

The same in a real browser: test_approval_in_chromium.py. What attackers and automata do: test_approval_attacks.py.
"""

import re
import secrets

import pytest

from tests.conftest import eventually
from tests.e2e.up import UNDECIDED, Asked, Up, ask, asked_by, start_run
from tests.e2e.visitor import approve, look, post, reject


def test_the_mailed_link_shows_what_the_mail_says_and_more(untouched: Asked) -> None:
    page = look(untouched.link)
    assert page.status == 200
    mse = re.search(r"^Mean squared error: +([0-9.]+) \(at most 46\)$", untouched.mail.text, re.MULTILINE)
    until = re.search(r"The link works until (\S+ \S+ UTC)", untouched.mail.text)
    assert mse is not None
    assert until is not None
    for shown in (
        mse[1],
        f"You can decide here until {until[1]}.",
        "incoming/cars.csv",
        "278 train, 60 validation, 60 test, 60 batch",
        "good enough: at most 46",
        "predicting the mean",
        "lambda = ",
        "000000000000 from 127.0.0.1",
        "Approving sets the model package to Approved",
        untouched.run_id,
        untouched.package_arn,
    ):
        assert shown in page.text, shown
    # Each test car in two plots, and the first batch predictions in a table.
    assert page.html.count("<circle") == 2 * 60
    assert page.html.count("<tr>") == 1 + 6


def test_an_approval_ends_the_run_with_the_reviewers_name_and_a_mail_to_everyone(asked: Asked) -> None:
    answer = approve(asked.link, "Ada Lovelace", "Better than the last one.")
    assert (answer.status, answer.headers["location"]) == (303, f"/review/{asked.link_id}")
    output = asked.end()
    assert output["outcome"] == "approved"
    assert output["decision"].items() >= {
        ("decision", "approved"),
        ("reviewer", "Ada Lovelace"),
        ("comment", "Better than the last one."),
    }
    assert asked.package["ModelApprovalStatus"] == "Approved"
    mail = asked.final_mail("Approved: ")
    assert "Ada Lovelace approved the model." in mail.text
    assert "Better than the last one." in mail.text


def test_a_rejection_without_a_comment_is_refused_and_keeps_the_name(untouched: Asked) -> None:
    answer = reject(untouched.link, "Grace Hopper", " \r\n ")
    assert answer.status == 422
    assert "Nothing was decided. Say why: rejecting needs a comment." in answer.text
    assert 'value="Grace Hopper"' in answer.html
    assert untouched.standing == UNDECIDED


@pytest.mark.parametrize(
    "fields",
    [
        {"decision": "approve", "reviewer": ""},
        {"decision": "Approve", "reviewer": "Ada"},
        {"decision": "approved", "reviewer": "Ada"},
        {"decision": "", "reviewer": "Ada"},
        {"reviewer": "Ada"},
        {"decision": "defer", "reviewer": "Ada", "comment": "later"},
        {"finish": "yes", "reviewer": "Ada"},
    ],
)
def test_only_the_two_exact_words_with_a_name_decide(untouched: Asked, fields: dict[str, str]) -> None:
    answer = post(untouched.link, {"comment": "", **fields})
    assert answer.status == 422
    assert "Nothing was decided." in answer.text
    assert untouched.standing == UNDECIDED


@pytest.fixture(scope="module")
def rejected(up: Up) -> Asked:
    """A request that was rejected with a comment of several lines."""
    asked = ask(up)
    answer = post(
        asked.link,
        {"decision": "reject", "reviewer": "Grace Hopper", "comment": "Errors grow.\r\n\r\nLook again."},
        User_Agent="Test browser/1.0",
    )
    assert answer.status == 303
    return asked


def test_the_second_reviewer_sees_who_decided_and_why(rejected: Asked) -> None:
    for answer, status in (
        (approve(rejected.link, "Ada Lovelace"), 409),
        (reject(rejected.link, "Grace Hopper", "Errors grow."), 409),
        (look(rejected.link), 200),
    ):
        assert answer.status == status
        assert re.search(r"Already decided by Grace Hopper at 20\S+ \S+ UTC", answer.text)
        assert "The model is rejected. Decided on this page. Errors grow. Look again." in answer.text
        assert "<form" not in answer.html
    assert rejected.end()["outcome"] == "rejected"
    assert rejected.record["reviewer"] == "Grace Hopper"
    rejected.final_mail("Rejected: ")


def test_the_audit_record_says_who_when_what_why_and_from_where(rejected: Asked) -> None:
    decided_at = rejected.end()["decision"]["decided_at"]
    assert rejected.record.items() >= {
        ("status", "REJECTED"),
        ("reviewer", "Grace Hopper"),
        ("comment", "Errors grow.\n\nLook again."),
        ("decided_at", decided_at),
        ("decided_via", "review page"),
        ("decided_from_address", "127.0.0.1"),
        ("decided_with_browser", "Test browser/1.0"),
        ("execution_arn", rejected.execution_arn),
    }


def test_a_rejection_puts_its_comment_into_one_line_on_the_package(rejected: Asked) -> None:
    assert rejected.end()["outcome"] == "rejected"
    package = rejected.package
    assert package["ModelApprovalStatus"] == "Rejected"
    assert re.fullmatch(
        r"Rejected by Grace Hopper at \S+: Errors grow\. Look again\.", package["ApprovalDescription"]
    )
    assert "Errors grow.\n\nLook again." in rejected.final_mail("Rejected: ").text


def test_an_expired_link_says_so_and_decides_nothing(untouched: Asked) -> None:
    with untouched.expired():
        for answer in (look(untouched.link), approve(untouched.link), reject(untouched.link)):
            assert answer.status == 410
            assert "This request has expired" in answer.text
            assert "can be decided in SageMaker" in answer.text
            assert "<form" not in answer.html
        assert untouched.standing == UNDECIDED


def test_a_link_that_was_never_mailed_opens_nothing(untouched: Asked) -> None:
    unknown = secrets.token_urlsafe(32)
    for link in (
        untouched.link.replace(untouched.link_id, unknown),
        # What a reader of the table has.
        untouched.link.replace(untouched.link_id, untouched.record["link_hash"]),
        untouched.link[:-1],
    ):
        for answer in (look(link), approve(link)):
            assert answer.status == 404
            assert untouched.run_id not in answer.html
    assert untouched.standing == UNDECIDED


def test_without_a_confirmed_subscription_the_run_fails_at_once_and_says_so(up: Up) -> None:
    sns, topic = up.client("sns"), up.outputs["ApprovalTopicArn"]
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    try:
        key, execution_arn = start_run(up)
        states = up.client("stepfunctions")
        eventually(lambda: states.describe_execution(executionArn=execution_arn)["status"] == "FAILED")
        execution = states.describe_execution(executionArn=execution_arn)
        assert execution["error"] == "NobodyToAsk"
        assert "Subscription Confirmation" in execution["cause"]
        (mail,) = eventually(lambda: up.mails("NotificationTopic", execution_arn))
        assert "then redrive the execution" in " ".join(mail.text.split())
    finally:
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=subscription["Endpoint"])
    up.client("stepfunctions").redrive_execution(executionArn=execution_arn)
    assert asked_by(up, key, execution_arn).standing == UNDECIDED
