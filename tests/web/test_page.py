"""The catalogue's page in a real browser: what it shows, and that it predicts as the native model does."""

from playwright.sync_api import Page, expect

from tests.web.server import Catalogue


def test_the_list(page: Page, catalogue: Catalogue) -> None:
    page.goto(catalogue.link)
    expect(page.get_by_role("heading", level=1)).to_have_text("Approved models")
    page.wait_for_timeout(500)
    page.screenshot(path="/tmp/web-tmp/list.png", full_page=True)
    page.goto(catalogue.link + "#/auto_mpg/7")
    expect(page.locator(".value")).to_contain_text("mpg")
    page.wait_for_timeout(500)
    page.screenshot(path="/tmp/web-tmp/car.png", full_page=True)
