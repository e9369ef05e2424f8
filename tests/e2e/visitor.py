"""Requests to the review page from a person's browser, a mail scanner or another site."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from local.cli.browser import Page

FORM = "application/x-www-form-urlencoded"
# The browser's headers for a form that is sent from the page itself.
FROM_THE_PAGE = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@dataclass(frozen=True)
class Answer:
    """The response; header names are in lower case, redirects are not followed."""

    url: str
    status: int
    headers: Mapping[str, str]
    html: str

    @property
    def text(self) -> str:
        """The text on the page."""
        return Page(self.url, self.status, self.html).text


def send(
    method: str, url: str, body: str | bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """One request, with exactly these headers besides Host and Content-Length."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=60)
    try:
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection.request(method, path, body, {"Host": parts.netloc, **(headers or {})})
        answer = connection.getresponse()
        received = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(url, answer.status, received, answer.read().decode())
    finally:
        connection.close()


def look(url: str) -> Answer:
    """Open a page."""
    return send("GET", url, headers={"Sec-Fetch-Site": "none"})


def post(url: str, fields: Mapping[str, str], **headers: str) -> Answer:
    """Send a form like the page's own; other headers by keyword, `_` for `-`."""
    own = {name.replace("_", "-"): value for name, value in headers.items()}
    return send("POST", url, urlencode(fields), {"Content-Type": FORM, **FROM_THE_PAGE, **own})


def approve(url: str, reviewer: str = "Ada Lovelace", comment: str = "") -> Answer:
    """Press Approve."""
    return post(url, {"reviewer": reviewer, "comment": comment, "decision": "approve"})


def reject(url: str, reviewer: str = "Grace Hopper", comment: str = "Errors grow.") -> Answer:
    """Press Reject."""
    return post(url, {"reviewer": reviewer, "comment": comment, "decision": "reject"})


@dataclass
class Form:
    """A form with its fields' current values, and its buttons' names and values."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def submissions(self) -> list[dict[str, str]]:
        """Everything that can be sent without typing: no button, and each button."""
        return [self.fields, *({**self.fields, name: value} for name, value in self.buttons if name)]


class Contents(HTMLParser):
    """Everything that a scanner can follow or send on a page, including hidden and disabled elements."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._url = answer.url
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.forms: list[Form] = []
        self.feed(answer.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, value = given.get("name", ""), given.get("value", "")
        self.tags.add(tag)
        self.links |= {urljoin(self._url, given[a]) for a in ("href", "src", "action") if a in given}
        if tag == "form":
            action = urljoin(self._url, given.get("action", ""))
            self.forms.append(Form(given.get("method", "get").upper(), action))
        elif tag == "button" or given.get("type") in ("submit", "image", "button"):
            self.forms[-1].buttons.append((name, value))
        elif tag in ("input", "textarea", "select") and name:
            self.forms[-1].fields[name] = value
