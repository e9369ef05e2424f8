"""E-mail subscribers find their mail in the mailbox."""

import json
import urllib.request

from tests.conftest import Aws


def mails(aws: Aws, query: str = "") -> list[dict[str, str]]:
    with urllib.request.urlopen(f"{aws.pages}mails{query}") as answer:
        found: list[dict[str, str]] = json.load(answer)
    return found


def test_a_subscriber_confirms_by_itself_and_gets_what_is_published(aws: Aws) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name="mailbox-test")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ada@example.com")
    sns.publish(TopicArn=topic, Subject="A subject", Message="A text\nof two lines")
    mine = [mail for mail in mails(aws) if mail["topic"] == "mailbox-test"]
    assert [(mail["to"], mail["subject"]) for mail in mine] == [
        ("ada@example.com", "AWS Notification - Subscription Confirmation"),
        ("ada@example.com", "A subject"),
    ]
    assert mine[1]["text"] == "A text\nof two lines"
    assert mails(aws, f"?after={mine[0]['id']}")[-1] == mine[1]
    assert mails(aws, f"?after={mine[1]['id']}") == []
    assert mails(aws, "?after=the-first") == mails(aws)


def test_the_page_is_there_and_shows_the_mail(aws: Aws) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name="page-test")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ada@example.com")
    sns.publish(TopicArn=topic, Subject="<script>", Message="shown")
    with urllib.request.urlopen(aws.pages) as answer:
        page = answer.read().decode()
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
