"""Mails as people read them on a laptop."""

import asyncio
import threading

from local.embedded.mailbox import Mailbox

TOPIC = "arn:aws:sns:us-east-1:000000000000:mpg-local-approvals"
FUNCTION_URL = "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws/"


def test_a_link_to_a_function_url_leads_to_this_machine() -> None:
    box = Mailbox(4566)
    box.deliver(to="ada@example.com", topic_arn=TOPIC, subject="s", text=f"Open\n{FUNCTION_URL}review/x\n")
    host = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.localhost:4566"
    assert box.mails()[0]["text"] == f"Open\nhttp://{host}/review/x\n"


def test_other_links_stay_as_they_are() -> None:
    box = Mailbox(4566)
    box.deliver(to="a@example.com", topic_arn=TOPIC, subject="s", text="https://console.aws.amazon.com/x")
    assert box.mails()[0]["text"] == "https://console.aws.amazon.com/x"


def test_mails_are_listed_oldest_first_with_their_topic() -> None:
    box = Mailbox(1)
    for subject in ("first", "second"):
        box.deliver(to="a@example.com", topic_arn=TOPIC, subject=subject, text="")
    assert [(mail["id"], mail["subject"], mail["topic"]) for mail in box.mails()] == [
        ("1", "first", "mpg-local-approvals"),
        ("2", "second", "mpg-local-approvals"),
    ]


def test_a_mail_without_a_subject_gets_sns_default() -> None:
    box = Mailbox(1)
    box.deliver(to="a@example.com", topic_arn=TOPIC, subject="", text="x")
    assert box.mails()[0]["subject"] == "AWS Notification Message"


def test_who_knows_the_first_mails_gets_the_others() -> None:
    box = Mailbox(1)
    for subject in ("first", "second", "third"):
        box.deliver(to="a@example.com", topic_arn=TOPIC, subject=subject, text="")
    assert [mail["subject"] for mail in box.mails(after=int(box.mails()[0]["id"]))] == ["second", "third"]
    assert box.mails(after=3) == []


def test_who_waits_for_a_mail_gets_it_when_it_comes() -> None:
    box = Mailbox(1)
    mail = {"to": "a@example.com", "topic_arn": TOPIC, "subject": "late", "text": ""}
    later = threading.Timer(0.1, box.deliver, kwargs=mail)
    later.start()
    found = asyncio.run(box.new_mails(after=0, seconds=60))
    later.join()
    assert [mail["subject"] for mail in found] == ["late"]


def test_who_waits_in_vain_gets_no_mail() -> None:
    assert asyncio.run(Mailbox(1).new_mails(after=0, seconds=0.05)) == []
