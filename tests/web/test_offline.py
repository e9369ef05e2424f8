"""The catalogue's page without a network, with a link that is over, and with files that are not right."""

import hashlib
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import eventually_none
from tests.web.server import Catalogue
from tests.web.test_page import open_page, prediction

COME_BACK = "document.dispatchEvent(new Event('visibilitychange'))"


def visit(page: Page, catalogue: Catalogue, name: str = "fields") -> None:
    """A first visit, until the page says that it works offline."""
    open_page(page, catalogue, name)
    expect(page.locator("#standing")).to_contain_text("works offline")


def report(page: Page, path: str) -> AbstractContextManager[Any]:
    """Waits at its end until the browser has reported that it could not load something."""
    return page.expect_console_message(lambda message: message.location["url"].endswith(path))


def test_after_the_first_visit_it_works_offline(page: Page, catalogue: Catalogue) -> None:
    visit(page, catalogue)
    expect(page.locator(".kept")).to_contain_text("This browser has kept version 7 since")
    before = prediction(page)
    catalogue.state = "unreachable"
    page.reload()
    expect(page.locator("#standing")).to_contain_text("Offline: the list of")
    expect(page.locator(".curve")).to_be_visible()
    assert prediction(page) == before
    page.get_by_label("Weight, lb, slider").fill("4500")
    expect(page.locator(".value")).not_to_contain_text(f"{before}")
    expect(page.locator(".kept")).to_contain_text("This browser has kept version 7 since")
    # What was not opened before needs the network, and says so. The browser's own reports may come later still.
    with report(page, "/models/strokes/3.json"), report(page, "/models/strokes/3/onnx"):
        page.goto(catalogue.link + "#/strokes/3")
    expect(page.locator(".trial").get_by_role("alert")).to_contain_text("The catalogue cannot be reached")
    catalogue.state = "open"
    page.locator(".trial").get_by_role("button", name="Try again").click()
    expect(page.locator(".try canvas").first).to_be_visible()
    page.evaluate(COME_BACK)
    expect(page.locator("#standing")).to_contain_text("Up to date")


def test_a_newer_live_version_is_announced(page: Page, catalogue: Catalogue) -> None:
    visit(page, catalogue)
    newer = {"version": 8, "live": True, "live_since": "2026-11-20T10:00:00Z"}
    catalogue.models.insert(0, {**catalogue.models[0], **newer})
    catalogue.files["auto_mpg", 8] = catalogue.files["auto_mpg", 7]
    page.evaluate(COME_BACK)
    expect(page.locator("#notices")).to_contain_text("Version 8 is live since 20 Nov 2026")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Version 7")
    page.get_by_role("link", name="Open version 8").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Version 8")
    expect(page.locator("#notices")).to_have_text("")


def test_a_revoked_link_says_so_and_leaves_nothing(page: Page, catalogue: Catalogue) -> None:
    visit(page, catalogue)
    catalogue.state = "revoked"
    page.evaluate(COME_BACK)
    expect(page.get_by_role("heading", level=1)).to_have_text("This link no longer works")
    expect(page.get_by_role("alert")).to_contain_text("This link has expired or was revoked")
    expect(page.locator("#standing")).to_have_text("")
    eventually_none(lambda: page.evaluate("caches.keys()"))
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("This link is no longer valid")


def test_a_link_expires_without_a_network_too(page: Page, catalogue: Catalogue) -> None:
    catalogue.expires_at = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    page.clock.install()
    visit(page, catalogue)
    catalogue.state = "unreachable"
    page.clock.fast_forward("10:00")
    page.evaluate(COME_BACK)
    expect(page.get_by_role("heading", level=1)).to_have_text("This link no longer works")
    expect(page.get_by_role("alert")).to_contain_text("This link has expired or was revoked")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "The file of version 7 is empty."),
        (b"another file", "is not the one that was approved: its SHA-256 differs"),
    ],
)
def test_a_file_that_is_not_right_is_not_used(
    page: Page, catalogue: Catalogue, content: bytes, said: str
) -> None:
    right = catalogue.files["auto_mpg", 7]
    catalogue.files["auto_mpg", 7] = content
    page.goto(catalogue.link + "#/auto_mpg/7")
    expect(page.get_by_role("alert")).to_contain_text(said)
    expect(page.locator(".plot")).to_have_count(2)
    catalogue.files["auto_mpg", 7] = right
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".curve")).to_be_visible()


def test_a_damaged_model_says_so(page: Page, catalogue: Catalogue, complaints: list[str]) -> None:
    damaged = catalogue.files["auto_mpg", 7][:-500]
    catalogue.files["auto_mpg", 7] = damaged
    digest = f"sha256:{hashlib.sha256(damaged).hexdigest()}"
    formats = {**catalogue.models[0]["formats"], "onnx": {"digest": digest, "bytes": len(damaged)}}
    catalogue.models[0] = {**catalogue.models[0], "formats": formats}
    page.goto(catalogue.link + "#/auto_mpg/7")
    expect(page.get_by_role("alert")).to_contain_text("This model's file is damaged")
    page.get_by_role("link", name="Model catalogue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Approved models")


def test_too_many_requests_says_when_to_try_again(page: Page, catalogue: Catalogue) -> None:
    catalogue.state = "busy"
    with report(page, "/models.json"):
        page.goto(catalogue.link)
    expect(page.get_by_role("alert")).to_contain_text("Too many requests with this link. Try again after")
    catalogue.state = "open"
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Approved models")


def test_an_unknown_version_is_not_found(page: Page, catalogue: Catalogue) -> None:
    page.goto(catalogue.link + "#/auto_mpg/99")
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such version")
