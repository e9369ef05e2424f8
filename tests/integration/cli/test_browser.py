"""The small browser against a real server: it sends everything that a review page checks."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from local.cli import browser

FORM = (
    b'<form method="post"><input name="reviewer"><button name="decision" value="approve">Yes</button></form>'
)


class Site(BaseHTTPRequestHandler):
    """Shows a form, accepts it, and redirects to a page that says thanks."""

    seen: list[dict[str, Any]]

    def do_GET(self) -> None:
        self._note("")
        self._answer(200, b"<p>Thanks</p>" if self.path.startswith("/thanks") else FORM)

    def do_POST(self) -> None:
        self._note(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self._answer(303, b"", ("Location", "/thanks?for=it"))

    def _note(self, body: str) -> None:
        lowered = {name.lower(): value for name, value in self.headers.items()}
        self.seen.append({"method": self.command, "path": self.path, "body": body, **lowered})

    def _answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    handler = type("ThisSite", (Site,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    # A name that the system's resolver need not resolve.
    yield f"http://abc.lambda-url.us-east-1.localhost:{server.server_port}", handler.seen  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def test_a_link_is_opened_with_the_host_that_it_names(site: tuple[str, list[dict[str, Any]]]) -> None:
    url, seen = site
    assert browser.get(f"{url}/review/1?x=2").status == 200
    assert (seen[0]["host"], seen[0]["path"]) == (url.removeprefix("http://"), "/review/1?x=2")
    assert seen[0]["sec-fetch-site"] == "none"


def test_a_form_is_posted_from_its_own_page_and_redirects_are_followed(
    site: tuple[str, list[dict[str, Any]]],
) -> None:
    url, seen = site
    page = browser.get(f"{url}/review/1")
    form = page.form_with_button("decision", "approve")
    answer = browser.submit(page, form, form.filled({"reviewer": "Ann & Bo"}, ("decision", "approve")))
    assert (answer.url, answer.text) == (f"{url}/thanks?for=it", "Thanks")
    _, posted, followed = seen
    assert (posted["path"], posted["body"]) == ("/review/1", "reviewer=Ann+%26+Bo&decision=approve")
    assert posted["content-type"] == "application/x-www-form-urlencoded"
    assert (posted["origin"], posted["sec-fetch-site"]) == (url, "same-origin")
    assert (followed["method"], followed["path"]) == ("GET", "/thanks?for=it")
