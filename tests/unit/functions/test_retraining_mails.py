"""Mails and page of a retraining say why it ran and, first of all, if its model is not better."""

from dataclasses import replace
from typing import Any

import pytest

from approval.mails import reminder_mail, request_mail
from approval.request import Approval
from common.evaluation import Champion, Comparison, Evaluation
from model.details import Details
from model.report import Report
from shared.mails import fit_subject
from shared.text import now
from tests.evaluation import EVALUATION
from tests.unit.functions.conftest import World, event
from tests.unit.functions.requests import ask
from web import pages
from web.form import Entry

READ = Evaluation.from_json(EVALUATION)
FACTS = event("request_approval-with-champion")
LINK = "https://host/review/x"


def compared(low: float, high: float) -> dict[str, Any]:
    """An evaluation whose metric, which is better if it is lower, changed by so much."""
    comparison = Comparison((low + high) / 2, low, high, 0.95, 60, 2000)
    return replace(READ, champion=Champion("arn:x/6", 10.0, comparison)).summary()


def asked(world: World, evaluation: dict[str, Any], **facts: Any) -> Approval:
    record = ask(world, **facts).record
    return replace(record, facts={**record.facts, "evaluation": evaluation})


@pytest.mark.parametrize(
    ("low", "high", "first"),
    [(-1, 1, "Not clearly better than the approved model"), (1, 2, "Worse than the approved model")],
)
def test_a_retrained_model_that_is_not_better_is_announced_as_that(
    world: World, monkeypatch: pytest.MonkeyPatch, low: float, high: float, first: str
) -> None:
    approval = asked(world, compared(low, high), reason="schedule")
    mail = request_mail(approval, LINK)
    assert fit_subject(mail.subject) == f"{first}: approve or reject model {approval.run_id}"
    assert mail.text.startswith(f"{first}: the model of this retraining.\n\nA retrained model waits")
    reminder = reminder_mail(approval, LINK, now())
    assert reminder.subject.startswith(f"{first}: Reminder, ")
    assert reminder.text.startswith(f"{first}: the model of this retraining.\n\nA model still waits")
    monkeypatch.setattr(pages, "read_details", lambda report: Details())
    page = pages.open_page(approval, Entry())
    assert page.index(f"<strong>{first}.</strong>") < page.index("If you approve it.")
    assert "A retrained model waits" in page


@pytest.mark.parametrize(("low", "high", "reason"), [(-2, -1, "drift"), (1, 2, "upload"), (1, 2, "")])
def test_a_better_model_and_one_of_an_upload_are_announced_as_ever(
    world: World, low: float, high: float, reason: str
) -> None:
    approval = asked(world, compared(low, high), reason=reason)
    assert request_mail(approval, LINK).subject.startswith(f"Approve or reject: model {approval.run_id}, ")
    assert reminder_mail(approval, LINK, now()).subject.startswith("Reminder, ")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("upload", "a file was uploaded"),
        ("schedule", "retraining on schedule"),
        ("drift", "retraining after a drift"),
        ("retrain", "somebody asked for a retraining"),
        ("something of a later version", "something of a later version"),
        ("", ""),
    ],
)
def test_mails_and_page_say_why_it_ran(reason: str, words: str) -> None:
    report = Report.from_facts({**FACTS, "reason": reason})
    assert dict(report.origin())["Why it ran"] == dict(report.rows())["Why it ran"] == words


def test_they_say_what_was_used_together_and_what_was_left_out() -> None:
    evaluation = {**EVALUATION, "rows": {**EVALUATION["rows"], "replaced": 1200}}
    facts = {
        **FACTS,
        "evaluation": evaluation,
        "reason": "retrain",
        "files": 3,
        "left_out": "incoming/x.csv (deleted)",
    }
    origin = dict(Report.from_facts(facts).origin())
    assert origin["File"] == "incoming/cars 2026+spring.csv with 2 earlier files"
    assert origin["Left out"] == "incoming/x.csv (deleted)"
    assert origin["Replaced"] == "1,200 rows, by those of a later file"


@pytest.mark.parametrize("files", [None, "3", 0, -1, 1e9, [1], True])
def test_a_number_of_files_that_is_none_counts_as_one(files: Any) -> None:
    assert (
        dict(Report.from_facts({**FACTS, "files": files}).origin())["File"] == "incoming/cars 2026+spring.csv"
    )


def test_the_output_of_an_execution_says_the_same() -> None:
    output = {"upload": {"key": "incoming/b.csv", "files": 2}, "reason": "drift", "left_out": ""}
    origin = dict(Report.from_facts(output).origin())
    assert (origin["Why it ran"], origin["File"]) == (
        "retraining after a drift",
        "incoming/b.csv with 1 earlier file",
    )
