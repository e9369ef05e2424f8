"""The scheduled sweep sends an approval's reminder and reconciles events that never arrived."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from tests.e2e.up import UNDECIDED, Asked, Up, link_in
from tests.e2e.visitor import approve, look


@contextmanager
def events_get_lost(up: Up) -> Iterator[None]:
    """While entered, events of decided model packages are not delivered."""
    events, rule = up.client("events"), up.resources["ResumePipelineFunctionPackageDecided"]
    events.disable_rule(Name=rule)
    try:
        yield
    finally:
        events.enable_rule(Name=rule)


def test_shortly_before_the_deadline_the_approvers_are_reminded_once_with_a_new_link(asked: Asked) -> None:
    now = datetime.now(UTC)
    asked.move_in_time(asked=now - timedelta(days=6), until=now + timedelta(hours=5, minutes=1))
    asked.up.invoke("SweepFunction", {})
    asked.up.invoke("SweepFunction", {})
    _, reminder = asked.up.mails("ApprovalTopic", asked.run_id)
    assert reminder.subject.startswith(f"Reminder, 5 hours left: model {asked.run_id}")
    assert link_in(reminder) != asked.link
    for answer in (look(asked.link), approve(asked.link)):
        assert answer.status == 410
        assert "A newer mail replaced this link" in answer.text
    assert asked.standing == UNDECIDED
    assert approve(link_in(reminder)).status == 303
    assert asked.end()["outcome"] == "approved"


def test_a_decision_whose_event_never_arrived_still_ends_the_run(asked: Asked) -> None:
    with events_get_lost(asked.up):
        approve(asked.link, "Ada Lovelace")
        assert asked.standing == ("APPROVED", "Approved", "RUNNING")
        asked.up.invoke("SweepFunction", {})
        output = asked.end()
    assert (output["outcome"], output["decision"]["reviewer"]) == ("approved", "Ada Lovelace")
    asked.final_mail("Approved: ")
    assert "resumed_at" in asked.record
