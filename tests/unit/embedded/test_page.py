from html.parser import HTMLParser
from typing import Any

from local.embedded.page import render


def mail(**changes: str) -> dict[str, Any]:
    usual = {
        "id": "1",
        "sent_at": "2026-01-05T12:00:00.123+00:00",
        "to": "a@example.com",
        "topic": "approvals",
    }
    return {**usual, "subject": "Approve?", "text": "text", **changes}


def execution(**changes: Any) -> dict[str, Any]:
    usual = {"name": "e-1", "status": "RUNNING", "started_at": "2026-01-05T12:00:00Z", "stopped_at": None}
    return {**usual, "file": "incoming/cars.csv", "outcome": None, "error": None, **changes}


class Links(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str | None] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "a":
            self.found.append(dict(attrs)["href"])


def test_a_link_in_a_mail_can_be_clicked() -> None:
    url = "http://abc.lambda-url.us-east-1.localhost:4566/review/x_y-z?a=1&b=2"
    page = render([mail(text=f"Look here:\n\n{url}\n\nand decide.")], [])
    assert Links(page).found == [url]
    assert url.replace("&", "&amp;") in page


def test_text_from_others_is_shown_and_not_executed() -> None:
    evil = '"><script>alert(1)</script>'
    page = render(
        [mail(subject=evil, text=f"{evil} http://x/{evil}", to=evil, topic=evil, sent_at=evil)],
        [
            execution(
                name=evil, file=evil, status=evil, outcome=evil, error=evil, started_at=evil, stopped_at=evil
            )
        ],
    )
    assert "<script" not in page
    assert "script" not in Links(page).tags
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 8


def test_the_newest_comes_first() -> None:
    mails = [mail(subject="first mail"), mail(subject="second mail")]
    executions = [
        execution(name="early", started_at="2026-01-05T12:00:00Z"),
        execution(name="late", started_at="2026-01-05T13:00:00Z"),
    ]
    page = render(mails, executions)
    assert page.index("second mail") < page.index("first mail")
    assert page.index("late") < page.index("early")


def test_an_execution_shows_its_status_until_it_has_an_outcome() -> None:
    assert "RUNNING" in render([], [execution()])
    ended = render([], [execution(status="SUCCEEDED", outcome="approved")])
    assert "approved" in ended
    assert "SUCCEEDED" not in ended
    assert "FAILED: TuningFailed" in render([], [execution(status="FAILED", error="TuningFailed")])


def test_an_empty_page_says_how_to_start() -> None:
    assert "incoming/" in render([], [])
