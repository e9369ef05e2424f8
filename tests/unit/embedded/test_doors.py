"""Web pages and foreign names are refused; people may open the pages or a mailed link."""

import asyncio
from typing import Any

import pytest

from local.embedded.doors import with_doors

PAGES = "/_mpg/0123456789abcdef/"
FUNCTION_URL = f"{'a' * 32}.lambda-url.us-east-1.localhost:4566"
FOLLOWED = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def answer(
    path: str = "/",
    headers: dict[str, str] | None = None,
    method: str = "GET",
    host: str = "127.0.0.1:4566",
    query: str = "",
) -> tuple[int, str]:
    """The status of the response, and the path that the application saw."""
    seen: list[str] = []
    statuses: list[int] = []

    async def within(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    given = [("host", host)] if host else []
    given += list((headers or {}).items())
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given],
    }
    _run(within, scope, send)
    return statuses[0], "".join(seen)


def _run(within: Any, scope: Any, send: Any) -> None:
    async def request() -> None:
        await with_doors(4566, PAGES, within)(scope, None, send)

    asyncio.run(request())


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:4566", "localhost:4566", "LOCALHOST:4566", "my-bucket.s3.localhost:4566", FUNCTION_URL],
)
def test_this_machines_own_names_are_answered(host: str) -> None:
    assert answer("/bucket", host=host) == (200, "/bucket")


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example:4566", "evil.example", "127.0.0.1.evil.example:4566", "localhost.evil.example:4566"),
        *(
            "evillocalhost:4566",
            "[::1]:4566",
            "0.0.0.0:4566",
            "127.0.0.1:80",
            "127.0.0.1",
            "localhost.:4566",
            "",
        ),
    ],
)
def test_a_request_to_a_foreign_host_name_is_never_answered(host: str) -> None:
    for path in ("/", f"{PAGES}mails", PAGES):
        for method in ("GET", "HEAD", "POST"):
            assert answer(path, method=method, host=host) == (403, "")


def test_a_request_with_two_host_names_is_not_answered() -> None:
    assert answer(headers={"host": "evil.example"}) == (403, "")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://127.0.0.1:9000"},
        {"origin": "https://127.0.0.1:4566"},
        {"origin": "http://localhost:4566"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"},
        FOLLOWED,
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
def test_a_request_from_a_page_of_another_site_is_refused(headers: dict[str, str], method: str) -> None:
    assert answer("/bucket/key", headers, method) == (403, "")


def test_a_page_of_the_same_origin_may_send() -> None:
    headers = {"origin": f"http://{FUNCTION_URL}", "sec-fetch-site": "same-origin"}
    assert answer("/review/x", headers, "POST", host=FUNCTION_URL) == (200, "/review/x")


def test_a_person_may_follow_a_link_to_the_pages_and_to_a_function_url() -> None:
    assert answer(PAGES, FOLLOWED) == (200, "/_mpg/")
    assert answer("/review/x", FOLLOWED, host=FUNCTION_URL) == (200, "/review/x")


@pytest.mark.parametrize(
    "change", [{"sec-fetch-dest": "iframe"}, {"sec-fetch-mode": "no-cors"}, {"sec-fetch-mode": "cors"}]
)
def test_a_frame_or_a_script_may_not(change: dict[str, str]) -> None:
    assert answer(PAGES, FOLLOWED | change) == (403, "")
    assert answer("/review/x", FOLLOWED | change, host=FUNCTION_URL) == (403, "")
    assert answer("/review/x", FOLLOWED, "POST", host=FUNCTION_URL) == (403, "")


LOADS = {"origin": f"http://{FUNCTION_URL}", "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
PRESIGNED = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0123"


def test_the_page_of_a_function_url_may_load_an_object_by_a_presigned_link() -> None:
    for method in ("GET", "HEAD"):
        assert answer("/bucket/key", LOADS, method, query=PRESIGNED) == (200, "/bucket/key")
    assert answer("/bucket/key", FOLLOWED, query=PRESIGNED) == (200, "/bucket/key")


@pytest.mark.parametrize(
    ("change", "method", "query"),
    [
        ({"origin": "https://evil.example"}, "GET", PRESIGNED),
        ({"origin": f"http://{FUNCTION_URL}0"}, "GET", PRESIGNED),
        ({"origin": f"http://evil.{FUNCTION_URL}"}, "GET", PRESIGNED),
        ({"sec-fetch-mode": "no-cors"}, "GET", PRESIGNED),
        ({}, "PUT", PRESIGNED),
        ({}, "OPTIONS", PRESIGNED),
        ({}, "GET", ""),
    ],
)
def test_a_page_may_load_nothing_else(change: dict[str, str], method: str, query: str) -> None:
    assert answer("/bucket/key", LOADS | change, method, query=query) == (403, "")
    assert answer(PAGES, LOADS | change, method, query=query) == (403, "")


def test_the_pages_are_open_only_below_their_address() -> None:
    assert answer(f"{PAGES}mails") == (200, "/_mpg/mails")
    for path in ("/_mpg/", "/_mpg/mails", "/_mpg/faults", PAGES[:-1], f"{PAGES[:-2]}0/mails", "/_mpg/é/"):
        assert answer(path) == (403, "")


@pytest.mark.parametrize(
    "path",
    [
        *("/_ministack/reset", "/_ministack/config", "/_ministack/lambda-code/f", "/_ministack"),
        *("/_localstack/health", "/health", "/_aws/lambda-url/x/", "/_alb/x"),
    ],
)
def test_the_emulators_own_endpoints_are_disabled(path: str) -> None:
    for host in ("127.0.0.1:4566", FUNCTION_URL):
        for method in ("GET", "POST"):
            assert answer(path, method=method, host=host) == (404, "")


def test_a_custom_resource_answers_cloudformation() -> None:
    path = "/_ministack/cfn-response/5f0c"
    assert answer(path, method="PUT") == (200, path)
    assert answer(path, {"origin": "http://evil.example"}, "PUT") == (403, "")


def test_nobody_gets_a_web_socket() -> None:
    messages: list[Any] = []

    async def within(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("not to be reached")

    async def send(message: Any) -> None:
        messages.append(message["type"])

    _run(within, {"type": "websocket"}, send)
    assert messages == ["websocket.close"]
