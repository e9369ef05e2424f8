"""A foreign web page in a developer's browser can do nothing to the embedded AWS."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Response

from tests.conftest import Aws, eventually

# It even knows the address of the pages, and tries every request that needs no preflight.
HOSTILE = """<!doctype html><title>Funny cats</title>
<img src="{pages}mails"><script src="{pages}mails?script"></script>
<iframe src="{pages}?frame"></iframe><iframe src="{function_url}?frame"></iframe><iframe name="hidden"></iframe>
<form method="post" target="hidden" enctype="text/plain" action="{aws}/2015-03-31/functions?{credentials}">
<input name='{{"FunctionName": "theirs", "a' value='": 1}}'></form>
<p><a id="pages" href="{pages}">the pages</a><p><a id="function" href="{function_url}">a mailed link</a>
<script>
document.forms[0].submit()
fetch("{pages}faults", {{mode: "no-cors", method: "POST", body: "[]"}})
fetch("{aws}/?Action=ListTopics&{credentials}", {{mode: "no-cors", method: "POST", body: "Action=ListTopics"}})
fetch("{aws}/_ministack/reset", {{mode: "no-cors", method: "POST"}})
fetch("{aws}/a-bucket", {{method: "PUT"}}).catch(() => document.body.append("PUT was refused"))
</script>
"""
CREDENTIALS = "X-Amz-Credential=test/20260101/us-east-1/lambda/aws4_request"
SENT = 8


@contextmanager
def served(html: str) -> Iterator[str]:
    """The address of a page on another port of this machine."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def site(aws: Aws) -> Iterator[str]:
    url = f"http://{'a' * 32}.lambda-url.us-east-1.localhost:{aws.port}/"
    pages = aws.pages.replace("127.0.0.1", "localhost")
    html = HOSTILE.format(aws=aws.endpoint_url, pages=pages, function_url=url, credentials=CREDENTIALS)
    with served(html) as address:
        yield address


def names_of_functions(aws: Aws) -> list[str]:
    return [found["FunctionName"] for found in aws.client("lambda").list_functions()["Functions"]]


def test_a_page_of_another_port_reaches_nothing(chromium: Browser, aws: Aws, site: str) -> None:
    page = chromium.new_page()
    answers: list[tuple[str, int]] = []
    before = names_of_functions(aws)

    def keep(answer: Response) -> None:
        if urlsplit(answer.url).port == aws.port:
            answers.append((answer.url, answer.status))

    def all_came() -> bool:
        # Reports from the browser what happened.
        page.wait_for_timeout(20)
        return len(answers) >= SENT

    page.on("response", keep)
    page.goto(site, wait_until="commit")
    page.get_by_text("PUT was refused").wait_for()
    eventually(all_came)
    assert [answer for answer in answers if answer[1] != 403] == []
    assert names_of_functions(aws) == before
    page.close()


def test_a_person_may_follow_its_links(chromium: Browser, aws: Aws, site: str) -> None:
    page = chromium.new_page()
    page.goto(site)
    page.locator("#pages").click()
    assert page.locator("h1").inner_text() == "Executions"
    page.reload()
    assert page.locator("h1").inner_text() == "Executions"
    page.goto(site)
    with page.expect_response(f"http://{'a' * 32}.**") as opened:
        page.locator("#function").click()
    # It reached the address of functions, and there is none.
    assert opened.value.status == 404
    page.close()
