"""Approvers are reminded once, in time, with a link that works; the older link then decides nothing."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from approval import reminder
from approval.mails import time_left
from approval.records import decide_by_link, find_by_link, hash_link
from approval.reminder import is_due, remind
from approval.request import Decision
from handlers import review
from shared import once
from shared.text import now
from tests.evaluation import DRIFTED
from tests.unit.functions.conftest import World
from tests.unit.functions.requests import APPROVE, Asked, ask, http, post

LINK = re.compile(r"^https://abcdefghij\.lambda-url\.us-east-1\.on\.aws/review/([\w-]{43})$", re.MULTILINE)
WEEK = 7 * 24


def reminded(asked: Asked, hours_before: float = 24) -> bool:
    return remind(asked.arn, now(), hours_before)


@pytest.fixture
def asked(world: World) -> Asked:
    """Asked a week ago, but for 23 hours and a half."""
    return ask(world, WEEK * 3600, hours_ago=WEEK - 23.5)


@pytest.mark.parametrize(
    ("hours_ago", "total", "hours_before", "due"),
    [
        (WEEK - 25, WEEK, 24, False),
        (WEEK - 24, WEEK, 24, True),
        (WEEK - 0.1, WEEK, 24, True),
        (WEEK + 1, WEEK, 24, False),
        # Never in the first half of the time.
        (11, 24, 24, False),
        (12, 24, 24, True),
        (WEEK - 1, WEEK, 0, False),
    ],
)
def test_a_reminder_is_due_the_set_hours_before_the_end(
    world: World, hours_ago: float, total: int, hours_before: int, due: bool
) -> None:
    asked = ask(world, total * 3600, hours_ago=hours_ago)
    assert is_due(asked.record, now(), hours_before) is due


def test_the_reminder_has_the_facts_the_time_left_and_a_new_link(world: World, asked: Asked) -> None:
    assert reminded(asked)
    ((subject, text),) = world.mails(world.approval_topic)
    assert subject == (
        "Reminder, 23 hours left: model mpg-20260301-0925-3fa85f64, Mean squared error 8.73 (at most 46)"
    )
    (link_id,) = LINK.findall(text)
    assert link_id != asked.link_id
    facts, rest = text.split(link_id)
    for fact in ("Time left: 23 hours", "cars 2026+spring.csv", "8.73 (at most 46)", "60.81", "9.10"):
        assert fact in facts, fact
    assert re.search(r"The link works until 20\d\d-\d\d-\d\d \d\d:\d\d UTC", rest)
    assert max(map(len, text.splitlines())) < 120


def test_the_reminder_says_how_the_upload_differs(world: World) -> None:
    assert reminded(ask(world, WEEK * 3600, hours_ago=WEEK - 23.5, evaluation=DRIFTED))
    ((_, text),) = world.mails(world.approval_topic)
    assert "The upload differs from the data that version 1 was trained on: weight and\norigin." in text
    assert "version 1 does worse than at its approval" in text


def test_the_new_link_decides_and_the_older_one_points_to_the_newest_mail(
    world: World, asked: Asked, context: Any
) -> None:
    reminded(asked)
    (link_id,) = LINK.findall(world.mails(world.approval_topic)[0][1])
    older = review.handler(post(asked.path, APPROVE), context)
    assert (older["statusCode"], "newest mail" in older["body"]) == (410, True)
    assert asked.record.decision is None
    assert review.handler(http("GET", f"/review/{link_id}"), context)["statusCode"] == 200
    assert review.handler(post(f"/review/{link_id}", APPROVE), context)["statusCode"] == 303
    assert asked.record.decision is not None


def test_only_the_hash_of_the_new_link_is_kept_and_the_link_is_not_logged(
    world: World, asked: Asked, log: Any
) -> None:
    reminded(asked)
    (link_id,) = LINK.findall(world.mails(world.approval_topic)[0][1])
    assert link_id not in str(world.items()) + log.getvalue()
    assert find_by_link(hash_link(link_id)) == asked.record


def test_a_request_gets_one_reminder(world: World, asked: Asked) -> None:
    assert [reminded(asked) for _ in range(3)] == [True, False, False]
    assert len(world.mails()) == 1


def test_a_repeated_request_gets_another_reminder(world: World, asked: Asked) -> None:
    reminded(asked)
    again = ask(world, WEEK * 3600, hours_ago=WEEK - 20)
    assert reminded(again)


def test_a_reminder_that_could_not_be_sent_leaves_the_first_link_live_and_is_sent_later(
    world: World, asked: Asked, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("approval.reminder.send", _fail)
        with pytest.raises(ConnectionError):
            reminded(asked)
    assert review.handler(http("GET", asked.path), context)["statusCode"] == 200
    assert reminded(asked)


def test_a_crash_right_after_the_mail_leaves_the_first_link_live_until_the_next_reminder(
    world: World, asked: Asked, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("shared.once._mark_done", _fail)
        with pytest.raises(ConnectionError):
            reminded(asked)
    assert review.handler(http("GET", asked.path), context)["statusCode"] == 200
    monkeypatch.setattr("shared.once.now", lambda: datetime.now(UTC) + timedelta(minutes=15))
    assert reminded(asked)
    assert statuses_of_reminders(world, context) == [410, 200]


def test_a_mailed_reminder_without_an_announced_link_changes_nothing(world: World, asked: Asked) -> None:
    assert once.do(f"{asked.arn}#REMINDER#{asked.record.decide_before}", lambda: None)
    assert not reminded(asked)
    assert asked.record.reminded_at == ""


def test_while_its_link_cannot_be_made_live_a_reminder_is_not_mailed_again_and_the_first_link_works(
    world: World, asked: Asked, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("approval.reminder.make_live", _fail)
        for _ in range(3):
            with pytest.raises(ConnectionError):
                reminded(asked)
    assert review.handler(http("GET", asked.path), context)["statusCode"] == 200
    assert [reminded(asked) for _ in range(2)] == [True, False]
    assert statuses_of_reminders(world, context) == [200]


@pytest.mark.parametrize("moment", ["_claim", "send", "_mark_done", "make_live"])
def test_a_request_repeated_during_the_reminder_is_decided_by_its_newest_link(
    world: World, asked: Asked, context: Any, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    later = list[Asked]()
    place = once if moment.startswith("_") else reminder
    original = getattr(place, moment)

    def ask_meanwhile(*arguments: object) -> object:
        later.append(ask(world, WEEK * 3600, hours_ago=WEEK - 20))
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(place, moment, ask_meanwhile)
        assert not reminded(asked)
    assert review.handler(http("GET", later[0].path), context)["statusCode"] == 200
    assert asked.record.reminded_at == ""
    assert reminded(later[0])
    assert statuses_of_reminders(world, context)[-1] == 200


def test_a_decision_while_the_reminder_is_sent_stands(
    world: World, asked: Asked, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decide_meanwhile(*_: object) -> None:
        decision = Decision("approved", "Ada", "", "2026-03-01T09:41:12Z", "review page")
        assert decide_by_link(asked.record, hash_link(asked.link_id), decision, now())

    monkeypatch.setattr("approval.reminder.send", decide_meanwhile)
    reminded(asked)
    assert asked.record.decision is not None
    assert asked.record.link_hash == hash_link(asked.link_id)
    assert asked.record.reminded_at == ""


def test_a_decided_request_gets_no_reminder(world: World, asked: Asked) -> None:
    decision = Decision("rejected", "Ada", "no", "2026-03-01T09:41:12Z", "review page")
    assert decide_by_link(asked.record, hash_link(asked.link_id), decision, now())
    assert not reminded(asked)
    assert not remind("arn:of:nothing", now(), 24)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (5 * 86_400, "5 days"),
        (2 * 86_400, "2 days"),
        (2 * 86_400 - 1, "47 hours"),
        (7200, "2 hours"),
        (7199, "119 minutes"),
        (60, "1 minute"),
        (1, "1 minute"),
    ],
)
def test_the_time_left_is_in_words_and_never_rounded_up(seconds: float, words: str) -> None:
    assert time_left(seconds) == words


def statuses_of_reminders(world: World, context: Any) -> list[int]:
    """The status of each reminder's link, oldest first."""
    links = [LINK.findall(text)[0] for subject, text in world.mails(world.approval_topic)]
    return [review.handler(http("GET", f"/review/{link}"), context)["statusCode"] for link in links]


def _fail(*_: object) -> None:
    raise ConnectionError
