"""The form that decides, and the one that finishes a decision which SageMaker has not taken."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element  # builds only

from approval.records import Approval, Decision
from shared.text import readable_time, timestamp
from web.markup import element

REVIEWER_LIMIT, COMMENT_LIMIT = 100, 2000


@dataclass(frozen=True)
class Entry:
    """What somebody typed into the form, and what is wrong with it by field."""

    reviewer: str = ""
    comment: str = ""
    errors: Mapping[str, str] | None = None


def decision_form(approval: Approval, entry: Entry) -> Element:
    """Nothing in it is chosen beforehand: sent as it stands, it decides nothing."""
    return element(
        "form",
        element("h2", "Your decision"),
        element(
            "p",
            "Approving sets the model package to Approved: it may then be deployed, later models are "
            "compared with it, the run ends, and everyone on the notification list is told. Rejecting "
            "sets it to Rejected. Name and comment are kept with the decision, which cannot be changed here.",
        ),
        # Enter in a text field presses a form's first button. This one is disabled, so that Enter decides
        # nothing.
        element("button", type="submit", disabled=True, aria_hidden="true"),
        _reviewer_field(entry),
        _comment_field(entry),
        element(
            "div",
            element("button", "Approve", type="submit", name="decision", value="approve", class_="approve"),
            element("button", "Reject", type="submit", name="decision", value="reject", class_="reject"),
            class_="buttons",
        ),
        element("p", until(approval), class_="hint"),
        method="post",
        id="decision",
    )


def _reviewer_field(entry: Entry) -> list[Element]:
    error = (entry.errors or {}).get("reviewer")
    field = element(
        "input",
        id="reviewer",
        name="reviewer",
        type="text",
        required=True,
        maxlength=REVIEWER_LIMIT,
        autocomplete="name",
        value=entry.reviewer,
        **_invalid("reviewer", error),
    )
    return [element("label", "Your name", for_="reviewer"), *_error("reviewer", error), field]


def _comment_field(entry: Entry) -> list[Element]:
    error = (entry.errors or {}).get("comment")
    field = element(
        "textarea",
        entry.comment,
        id="comment",
        name="comment",
        maxlength=COMMENT_LIMIT,
        **_invalid("comment", error),
    )
    label = element("label", "Comment ", element("small", "(needed to reject)"), for_="comment")
    return [label, *_error("comment", error), field]


def _invalid(name: str, error: str | None) -> dict[str, str]:
    return {"aria_invalid": "true", "aria_describedby": f"{name}-error"} if error else {}


def _error(name: str, error: str | None) -> list[Element]:
    return [element("p", error, class_="error", id=f"{name}-error")] if error else []


def finish_form(approval: Approval, decision: Decision) -> Element:
    """For a decision that is recorded but not on the model package."""
    status = decision.verdict.capitalize()
    command = (
        f"aws sagemaker update-model-package --model-package-arn {approval.package_arn} "
        f"--model-approval-status {status}"
    )
    return element(
        "form",
        element("h2", "One thing is left to do"),
        element(
            "p",
            "The decision is recorded and cannot be lost, but SageMaker has not taken it yet, so the run "
            "still waits. Try again here, or else run the command below.",
        ),
        element("pre", command),
        element("div", element("button", "Tell SageMaker again", type="submit", name="finish", value="yes"),
                class_="buttons"),
        method="post",
    )  # fmt: skip


def error_summary(entry: Entry) -> Element | None:
    """What has to be mended, said first."""
    if not entry.errors:
        return None
    wrong = [element("p", text) for text in entry.errors.values()]
    return element("div", element("strong", "Nothing was decided."), wrong, class_="notice bad", role="alert")


def until(approval: Approval) -> str:
    """A sentence about when the request expires."""
    return f"You can decide here until {deadline(approval)}."


def deadline(approval: Approval) -> str:
    """When the request expires."""
    return readable_time(timestamp(datetime.fromtimestamp(approval.decide_before, UTC)))
