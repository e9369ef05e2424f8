"""The task token and the link's id, and every place where they must not appear."""

import json
from dataclasses import dataclass

import pytest

from tests.conftest import eventually
from tests.e2e.up import Asked, Up, ask
from tests.e2e.visitor import approve, look, post, reject


@dataclass(frozen=True)
class Secrets:
    """A request's task token and the id in its link, recorded while it waited."""

    asked: Asked
    token: str
    pages: tuple[str, ...]


@pytest.fixture(scope="module")
def decided(up: Up) -> Secrets:
    """A request that went through every page to its end."""
    asked = ask(up)
    token = asked.record["task_token"]
    assert len(token) >= 32
    pages = [look(asked.link), post(asked.link, {}), look(f"{asked.link}x")]
    pages += [approve(asked.link), look(asked.link), reject(asked.link)]
    asked.final_mail("Approved: ")
    return Secrets(asked, token, tuple(str(page.headers) + page.html for page in pages))


def log_lines(up: Up) -> list[str]:
    """The CloudWatch logs of every function and the state machine."""
    logs = up.client("logs")
    groups = [
        group["logGroupName"]
        for page in logs.get_paginator("describe_log_groups").paginate()
        for group in page["logGroups"]
    ]
    return [
        event["message"]
        for group in groups
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        for event in page["events"]
    ]


def test_no_log_has_the_token_the_link_or_the_words_of_the_reviewer(decided: Secrets) -> None:
    lines = log_lines(decided.asked.up)
    for message in ("approval requested", "decided", "model package changed", "run ended"):
        assert any(f'"message":"{message}"' in line for line in lines), message
    for secret in (decided.token, decided.asked.link_id, "Ada Lovelace"):
        assert [line for line in lines if secret in line] == []


def test_no_page_has_the_token_or_its_own_address(decided: Secrets) -> None:
    location, *pages = sorted(decided.pages, key=lambda page: "'location'" not in page)
    assert decided.asked.link_id in location, "the redirect, which goes to whoever has the link"
    for page in pages:
        assert decided.asked.link_id not in page
    for page in decided.pages:
        assert decided.token not in page


def test_the_report_of_the_run_has_the_words_of_the_reviewer_and_no_secret(decided: Secrets) -> None:
    up, key = decided.asked.up, f"runs/{decided.asked.run_id}/report/report.html"
    stored = up.client("s3").get_object(Bucket=up.outputs["BucketName"], Key=key)
    report = stored["Body"].read().decode()
    assert "approved by Ada Lovelace on the review page" in report
    assert decided.token not in report
    assert decided.asked.link_id not in report


def test_the_link_is_in_the_approvers_mail_and_in_no_other(decided: Secrets) -> None:
    up, link_id = decided.asked.up, decided.asked.link_id
    assert up.mails("ApprovalTopic", link_id) == [decided.asked.mail]
    assert up.mails("NotificationTopic", link_id) == []
    assert up.mails("Topic", decided.token) == []


def test_the_execution_passes_on_neither(decided: Secrets) -> None:
    execution = decided.asked.execution
    assert json.loads(execution["output"])["outcome"] == "approved"
    for text in (execution["input"], execution["output"]):
        assert decided.token not in text
        assert decided.asked.link_id not in text


def test_the_history_has_the_token_and_not_the_link(decided: Secrets) -> None:
    """Its readers are documented: a reader of the history needs further rights to send the task's result."""
    pages = decided.asked.up.client("stepfunctions").get_paginator("get_execution_history")
    history = str(list(pages.paginate(executionArn=decided.asked.execution_arn)))
    assert decided.token in history
    assert decided.asked.link_id not in history


def test_the_table_has_no_link_and_forgets_a_used_token(decided: Secrets) -> None:
    eventually(lambda: "resumed_at" in decided.asked.record)
    table = str(decided.asked.up.records())
    assert decided.asked.run_id in table
    assert decided.asked.link_id not in table
    assert decided.token not in table
