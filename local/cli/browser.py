"""A small browser: opens a link, fills in the form on the page and presses a button, as a person would."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

REDIRECTS = {301, 302, 303}
MAX_REDIRECTS = 5
NOT_FIELDS = {"button", "reset", "image", "file"}


@dataclass(frozen=True)
class Page:
    """A server's response."""

    url: str
    status: int
    html: str

    @property
    def text(self) -> str:
        """The text on the page, without its markup, styles and title."""
        reader = _TextReader()
        reader.feed(self.html)
        return " ".join(" ".join(reader.words).split())

    def form_with_button(self, name: str, value: str) -> "Form":
        """The form that has this submit button. Raises LookupError if there is none."""
        reader = _FormReader()
        reader.feed(self.html)
        for form in reader.forms:
            if (name, value) in form.buttons:
                return form
        raise LookupError(f'{self.url} shows no form with a button {name}="{value}": {self.text[:300]}')


@dataclass
class Form:
    """A form as a browser knows it."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    """The values that would be sent unchanged, including hidden fields."""
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def filled(self, entries: Mapping[str, str], button: tuple[str, str]) -> dict[str, str]:
        """The values that the button sends after filling in those entries that the form has."""
        known = {name: value for name, value in entries.items() if name in self.fields}
        return {**self.fields, **known, button[0]: button[1]}


def get(url: str) -> Page:
    """Open a link."""
    return _request("GET", url, None, {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"})


def submit(page: Page, form: Form, entries: dict[str, str]) -> Page:
    """Submit a form from its page and follow redirects."""
    parts = urlsplit(page.url)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": f"{parts.scheme}://{parts.netloc}",
        "Referer": page.url,
        "Sec-Fetch-Site": "same-origin",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    return _request(form.method, urljoin(page.url, form.action), urlencode(entries), headers)


def _request(method: str, url: str, body: str | None, headers: Mapping[str, str]) -> Page:
    for _ in range(MAX_REDIRECTS):
        status, location, html = _exchange(method, url, body, headers)
        if status not in REDIRECTS:
            return Page(url, status, html)
        method, url, body = "GET", urljoin(url, location), None
    raise http.client.HTTPException(f"{url} redirects in circles")


def _exchange(method: str, url: str, body: str | None, headers: Mapping[str, str]) -> tuple[int, str, str]:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    common = {"Host": parts.netloc, "Accept": "text/html", "User-Agent": "mpg"}
    connection = _connect(parts.hostname or "", parts.port)
    try:
        connection.request(method, target or "/", body, {**common, **headers})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location", ""), answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def _connect(host: str, port: int | None) -> http.client.HTTPConnection:
    # Browsers resolve every name under .localhost to this machine; the system's resolver may not.
    here = host == "localhost" or host.endswith(".localhost")
    return http.client.HTTPConnection("127.0.0.1" if here else host, port, timeout=30)


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._textarea: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").upper())
            self.forms.append(self._form)
        elif self._form and "disabled" not in given:
            self._add_field(self._form, tag, given, {name for name, _ in attrs})

    def _add_field(self, form: Form, tag: str, given: Mapping[str, str], names: set[str]) -> None:
        name, kind = given.get("name", ""), given.get("type", "submit" if tag == "button" else "text").lower()
        if tag in ("button", "input") and kind == "submit":
            form.buttons.append((name, given.get("value", "")))
        elif tag == "input" and name and kind not in NOT_FIELDS:
            choice = kind in ("radio", "checkbox")
            if not choice or "checked" in names:
                form.fields[name] = given.get("value", "on" if choice else "")
        elif tag == "textarea" and name:
            self._textarea = name
            form.fields[name] = ""

    def handle_data(self, data: str) -> None:
        if self._form and self._textarea:
            self._form.fields[self._textarea] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._textarea = None


class _TextReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("style", "script", "title")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script", "title")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)
