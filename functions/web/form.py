"""Validates the review page's form."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from approval.request import Decision
from shared.text import has_ink, many_lines, now, one_line, timestamp
from web.http import Request

REVIEWER_LIMIT, COMMENT_LIMIT = 100, 2000
_VERDICTS = ("approve", "reject")


@dataclass(frozen=True)
class Entry:
    """The entered values, and an error message for each invalid field."""

    reviewer: str = ""
    comment: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


def check_entry(form: Mapping[str, str]) -> Entry:
    """Validate the values of a form, without their control characters."""
    reviewer = one_line(form.get("reviewer", ""), 10 * REVIEWER_LIMIT)
    comment = many_lines(form.get("comment", ""), 10 * COMMENT_LIMIT)
    comment = comment if has_ink(comment) else ""
    errors = {}
    if form.get("decision") not in _VERDICTS:
        errors["decision"] = "Choose: approve or reject."
    if not any(character.isalpha() and has_ink(character) for character in reviewer):
        errors["reviewer"] = "Say who decides: your name is missing."
    if len(reviewer) > REVIEWER_LIMIT:
        errors["reviewer"] = f"The name is too long: at most {REVIEWER_LIMIT} characters."
    if len(comment) > COMMENT_LIMIT:
        errors["comment"] = f"The comment is too long: at most {COMMENT_LIMIT:,} characters."
    if form.get("decision") == "reject" and not comment:
        errors["comment"] = "Say why: rejecting needs a comment."
    return Entry(reviewer, comment, errors)


def new_decision(request: Request, form: Mapping[str, str], entry: Entry) -> Decision:
    """The decision in an entry without errors."""
    return Decision(
        verdict="approved" if form["decision"] == "approve" else "rejected",
        reviewer=entry.reviewer,
        comment=entry.comment,
        decided_at=timestamp(now()),
        via="review page",
        address=one_line(request.address, 64),
        browser=one_line(request.browser, 256),
    )
