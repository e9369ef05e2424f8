"""The pages behind the mailed link, as a function of what is known. They work without scripts."""

from typing import Literal
from xml.etree.ElementTree import Element  # builds only

from approval.records import Approval, Decision
from model.details import Details
from shared.text import readable_time
from web.http import STYLE
from web.markup import Content, document, element
from web.page_form import Entry, deadline, decision_form, error_summary, finish_form, until
from web.page_model import model_sections

Tone = Literal["good", "bad", "warn"]


def message_page(title: str, text: str, tone: Tone = "warn") -> str:
    """A page that says one thing."""
    return _page(title, element("h1", title), _notice(tone, text))


def open_page(approval: Approval, details: Details, entry: Entry) -> str:
    """The page on which to decide."""
    return _page(
        f"Approve model {approval.run_id}?",
        element("p", f"Model {approval.run_id}", class_="over"),
        element("h1", "A model waits for your decision"),
        error_summary(entry),
        element(
            "p",
            f"Nothing happens by opening this page. {until(approval)} ",
            element("a", "Go to the decision", href="#decision"),
            class_="soft",
        ),
        *model_sections(approval, details),
        decision_form(approval, entry),
    )


def expired_page(approval: Approval, details: Details) -> str:
    """Too late to decide here."""
    return _page(
        "This request has expired",
        element("p", f"Model {approval.run_id}", class_="over"),
        element("h1", "This request has expired"),
        _notice(
            "warn",
            f"It could be decided here until {deadline(approval)}. Nobody did, and the run has ended. The "
            "model package still waits; whoever may do so can decide in SageMaker, which is recorded:",
            element("code", approval.package_arn),
        ),
        *model_sections(approval, details),
    )


def decided_page(approval: Approval, details: Details, decision: Decision) -> str:
    """Who decided, when and why; also for those who came second."""
    title = f"{decision.verdict.capitalize()} by {decision.reviewer}"
    unfinished = approval.decision is not None and not approval.package_updated_at
    return _page(
        title,
        element("p", f"Model {approval.run_id}", class_="over"),
        element("h1", f"Already decided by {decision.reviewer} at {readable_time(decision.decided_at)}"),
        _notice(
            "good" if decision.verdict == "approved" else "bad",
            element("strong", f"The model is {decision.verdict}."),
            f" Decided {_where(decision)}.",
            element("p", decision.comment, class_="comment") if decision.comment else None,
        ),
        *_overtaken(approval, decision),
        finish_form(approval, decision) if unfinished else None,
        *model_sections(approval, details),
    )


def _overtaken(approval: Approval, standing: Decision) -> list[Element]:
    """What was decided as well, and does not count: the model package says otherwise."""
    others = [approval.overruled, approval.decision]
    return [
        _notice(
            "warn",
            f"It was also {other.verdict} by {other.reviewer} at {readable_time(other.decided_at)}, "
            f"{_where(other)}. The model package carries the decision above, and that is what counts.",
        )
        for other in others
        if other and other.verdict != standing.verdict
    ]


def _where(decision: Decision) -> str:
    return "on this page" if decision.via == "review page" else "in SageMaker"


def _page(title: str, *content: Content) -> str:
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", STYLE),
    )
    return document(element("html", head, element("body", element("main", *content)), lang="en"))


def _notice(tone: Tone, *content: Content) -> Element:
    return element("div", *content, class_=f"notice {tone}".strip())
