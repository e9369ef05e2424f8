"""The review page in a real browser without JavaScript, as a person sees and uses it.

REVIEW_SCREENSHOTS=docs/images renews the pictures that stand in the documentation.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, FloatRect, Page

from tests.conftest import eventually
from tests.e2e.up import UNDECIDED, Asked, Up, ask
from tests.e2e.visitor import approve, look

DESKTOP, PHONE = (900, 1000), (320, 640)
MILLISECONDS = 90_000


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """The browser's complaints; any complaint fails the test."""
    heard: list[str] = []
    yield heard
    assert heard == []


@pytest.fixture(scope="module")
def browser(chromium: Browser) -> Iterator[BrowserContext]:
    """A person's browser, with JavaScript switched off: one, because to start it takes longer than most tests."""
    width, height = DESKTOP
    context = chromium.new_context(
        java_script_enabled=False, viewport={"width": width, "height": height}, reduced_motion="reduce"
    )
    context.set_default_timeout(MILLISECONDS)
    # With the last page, the browser would close its window, which is what takes long to open.
    context.new_page()
    yield context
    context.close()


@pytest.fixture
def person(browser: BrowserContext, complaints: list[str]) -> Iterator[BrowserContext]:
    """The browser without what an earlier test has left in it."""

    def hear(message: ConsoleMessage) -> None:
        complain(complaints, message)

    browser.on("console", hear)
    yield browser
    for page in browser.pages[1:]:
        page.close()
    browser.clear_cookies()
    browser.remove_listener("console", hear)


def complain(complaints: list[str], message: ConsoleMessage) -> None:
    # The browser reports every HTTP error; the tests assert which ones are expected.
    if message.type in ("error", "warning") and "the server responded with a status of 4" not in message.text:
        complaints.append(message.text)


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    named = os.environ.get("REVIEW_SCREENSHOTS")
    folder = Path(named).absolute() if named else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def open_link(person: BrowserContext, link: str) -> Page:
    page = person.new_page()
    page.goto(link)
    return page


def heading(page: Page) -> str:
    return page.locator("h1").inner_text()


def focused(page: Page) -> str:
    """The focused element, by its id, value or text."""
    found: str = page.evaluate(
        "(({id, value, textContent}) => id || value || textContent)(document.activeElement)"
    )
    return found


def tab_to(page: Page, wanted: str) -> None:
    for _ in range(20):
        page.keyboard.press("Tab")
        if focused(page) == wanted:
            return
    raise AssertionError(f"Tab never comes to {wanted}; now at {focused(page)}")


def scrolls_sideways(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def test_approving_from_the_mailed_link(person: BrowserContext, asked: Asked) -> None:
    page = open_link(person, asked.link)
    assert heading(page) == "A model waits for your decision"
    assert page.locator("svg:not(.histogram)").count() == 3
    assert page.locator("svg:not(.histogram)").nth(1).is_visible()
    # The style sheet is applied, so its hash in the policy is right.
    assert page.locator("button.approve").evaluate("button => getComputedStyle(button).cursor") == "pointer"
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.get_by_role("button", name="Approve").click()
    assert heading(page).startswith("Already decided by Ada Lovelace at ")
    assert "The model is approved." in page.locator("main").inner_text()
    assert (page.url, page.locator("form").count()) == (asked.link, 0)
    output = asked.end()
    assert (output["outcome"], output["decision"]["reviewer"]) == ("approved", "Ada Lovelace")
    page.reload()
    assert heading(page).startswith("Already decided by Ada Lovelace at ")


def test_rejecting_needs_a_comment_and_typed_text_stays(person: BrowserContext, asked: Asked) -> None:
    page = open_link(person, asked.link)
    page.get_by_label("Your name").fill("Grace Hopper")
    page.get_by_role("button", name="Reject").click()
    assert "rejecting needs a comment" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("Your name").input_value() == "Grace Hopper"
    assert asked.standing == UNDECIDED
    page.get_by_label("Comment").fill("Errors grow.\nLook again.")
    page.get_by_role("button", name="Reject").click()
    assert heading(page).startswith("Already decided by Grace Hopper at ")
    assert asked.end()["decision"]["comment"] == "Errors grow.\nLook again."


def test_without_a_name_the_browser_itself_does_not_send(person: BrowserContext, untouched: Asked) -> None:
    page = open_link(person, untouched.link)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.get_by_role("button", name="Approve").click()
    page.keyboard.press("Enter")
    assert focused(page) == "reviewer"
    page.reload()
    assert sent == ["GET"]


def test_a_double_click_decides_once(person: BrowserContext, asked: Asked) -> None:
    page = open_link(person, asked.link)
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.get_by_label("Comment").fill("Errors grow.")
    page.get_by_role("button", name="Reject").dblclick()
    page.wait_for_url(asked.link)
    page.get_by_text("The model is rejected.").wait_for()
    assert heading(page).startswith("Already decided by Ada Lovelace at ")
    assert asked.end()["outcome"] == "rejected"
    asked.final_mail("Rejected: ")


def test_the_second_of_two_pages_shows_the_decision_of_the_first(
    person: BrowserContext, asked: Asked
) -> None:
    first, second = open_link(person, asked.link), open_link(person, asked.link)
    first.get_by_label("Your name").fill("Grace Hopper")
    first.get_by_label("Comment").fill("Errors grow.")
    second.get_by_label("Your name").fill("Ada Lovelace")
    first.get_by_role("button", name="Reject").click()
    second.get_by_role("button", name="Approve").click()
    for page in (first, second):
        assert heading(page).startswith("Already decided by Grace Hopper at ")
    assert asked.end()["outcome"] == "rejected"
    assert asked.package["ModelApprovalStatus"] == "Rejected"


def test_a_page_that_was_left_open_too_long_says_that_it_expired(
    person: BrowserContext, untouched: Asked
) -> None:
    page = open_link(person, untouched.link)
    with untouched.expired():
        page.get_by_label("Your name").fill("Ada Lovelace")
        page.get_by_role("button", name="Approve").click()
        assert heading(page) == "This request has expired"
        assert page.locator("form").count() == 0
        assert untouched.standing == UNDECIDED


def test_a_link_that_nobody_mailed(person: BrowserContext, untouched: Asked) -> None:
    page = open_link(person, untouched.link.replace(untouched.link_id, secrets.token_urlsafe(32)))
    assert heading(page) == "This link is not known"


def test_everything_can_be_done_by_keyboard(person: BrowserContext, asked: Asked) -> None:
    page = open_link(person, asked.link)
    tab_to(page, "Go to the decision")
    page.keyboard.press("Enter")
    assert page.locator("#decision").evaluate("form => form.getBoundingClientRect().top < innerHeight")
    page.keyboard.press("Tab")
    assert focused(page) == "reviewer"
    page.keyboard.type("Grace Hopper")
    page.keyboard.press("Enter")
    assert heading(page) == "A model waits for your decision", "Enter in a field presses no button"
    tab_to(page, "comment")
    page.keyboard.type("Errors grow.")
    tab_to(page, "approve")
    assert (
        page.locator("button.approve").evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    )
    tab_to(page, "reject")
    page.keyboard.press("Enter")
    page.get_by_text("The model is rejected.").wait_for()
    assert asked.end()["decision"]["reviewer"] == "Grace Hopper"


def test_a_wide_table_is_scrolled_by_keyboard(person: BrowserContext, untouched: Asked) -> None:
    page = open_link(person, untouched.link)
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    table = page.get_by_role("region", name="First batch predictions")
    table.focus()
    page.keyboard.press("ArrowRight")
    eventually(lambda: table.evaluate("table => table.scrollLeft") > 0)


def test_on_a_phone_nothing_is_outside_the_screen(
    person: BrowserContext, asked: Asked, tmp_path: Path
) -> None:
    page = open_link(person, asked.link)
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert not scrolls_sideways(page)
    page.screenshot(path=tmp_path / "phone.png", full_page=True)
    page.get_by_label("Your name").fill("A" * 100)
    page.get_by_label("Comment").fill("B" * 500)
    assert not scrolls_sideways(page)
    page.get_by_role("button", name="Reject").click()
    assert heading(page).startswith("Already decided by AAAA")
    assert not scrolls_sideways(page)


def test_no_other_site_can_decide_with_the_visitors_browser(
    browser: BrowserContext, untouched: Asked
) -> None:
    form = f"""<form method="post" action="{untouched.link}">
        <input name="reviewer" value="Mallory"><button name="decision" value="approve">Win</button></form>"""
    page = browser.new_page()
    page.route("http://evil.example/**", lambda route: route.fulfill(body=form, content_type="text/html"))
    page.goto("http://evil.example/")
    with page.expect_navigation() as went:
        page.get_by_role("button", name="Win").click()
    # The embedded AWS refuses it before the page can; tests/unit/functions/test_review.py has the page's own words.
    assert went.value is not None
    assert went.value.status == 403
    assert untouched.standing == UNDECIDED
    page.close()


@pytest.mark.parametrize("with_its_headers", [True, False])
def test_no_other_site_can_show_the_page_in_a_frame(
    browser: BrowserContext, untouched: Asked, with_its_headers: bool
) -> None:
    answer = look(untouched.link)
    headers = dict(answer.headers) if with_its_headers else {"content-type": "text/html"}
    page = browser.new_page()
    frame = f'<iframe src="{untouched.link}"></iframe>'
    page.route("http://evil.example/", lambda route: route.fulfill(body=frame, content_type="text/html"))
    # Browsers block requests from public sites to this machine. On AWS the page is as public as the site.
    page.route(untouched.link, lambda route: route.fulfill(body=answer.html, headers=headers))
    page.goto("http://evil.example/")
    assert ("A model waits" not in page.frames[1].content()) == with_its_headers
    page.close()


def test_the_page_as_a_picture(person: BrowserContext, up: Up, screenshots: Path, tmp_path: Path) -> None:
    champion = ask(up)
    approve(champion.link)
    champion.end()
    page = open_link(person, ask(up, "cars-2026.csv").link)
    plots = page.locator(".plots").bounding_box()
    assert plots is not None
    top = FloatRect(x=0, y=0, width=DESKTOP[0], height=plots["y"] + plots["height"] + 20)
    page.screenshot(path=screenshots / "review.png", full_page=True, clip=top)
    page.locator("#decision").screenshot(path=screenshots / "review-decision.png")
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=tmp_path / "dark.png", full_page=True)
    assert not scrolls_sideways(page)
    assert "approved model" in page.locator("main").inner_text()
