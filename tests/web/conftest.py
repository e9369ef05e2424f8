"""One browser and one catalogue for all tests of the page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    WebError,
    expect,
    sync_playwright,
)

from tests.e2e.chromium import ARGUMENTS, find_chromium
from tests.web.models import STROKES_FORM, cars, entry, form_of, strokes
from tests.web.server import Catalogue, serving

CHROMIUM = find_chromium()
collect_ignore = [] if CHROMIUM else ["test_page.py", "test_offline.py"]
DESKTOP, PHONE = (1200, 900), (360, 740)
MILLISECONDS = 90_000


def pytest_report_header() -> str:
    return f"browser of tests/web: {CHROMIUM or 'none, so the page is not opened'}"


# Not of the session: a worker that also has tests of tests/e2e starts their browser after this one.
@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The native model of the catalogue's newest version of cars."""
    return tmp_path_factory.mktemp("cars") / "bundle"


@pytest.fixture(scope="session")
def everything(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """Two versions of cars, the older one live, and one of strokes."""
    newer, _ = cars(bundle.parent, rounds=50)
    older, _ = cars(tmp_path_factory.mktemp("older"), rounds=8)
    shapes, form = strokes(), form_of("auto_mpg")
    live = {"live": True, "live_since": "2026-11-16T10:00:00Z"}
    return Catalogue(
        [
            entry("auto_mpg", 7, newer, form),
            entry("auto_mpg", 6, older, form, **live),
            entry("strokes", 3, shapes, STROKES_FORM, live=True, live_since="2026-11-13T10:00:00Z"),
        ],
        {
            ("auto_mpg", 7): newer.evaluation,
            ("auto_mpg", 6): older.evaluation,
            ("strokes", 3): shapes.evaluation,
        },
        {("auto_mpg", 7): newer.graph, ("auto_mpg", 6): older.graph, ("strokes", 3): shapes.graph},
    )


@pytest.fixture
def catalogue(everything: Catalogue) -> Iterator[Catalogue]:
    """The catalogue as it is at first, on ports of its own, so that no browser has kept anything of it."""
    fresh = Catalogue(
        [dict(model) for model in everything.models], dict(everything.evaluations), dict(everything.files)
    )
    with serving(fresh) as served:
        yield served


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What the browser complains about, such as a violated policy. Any complaint fails the test."""
    heard: list[str] = []
    yield heard
    assert heard == []


@pytest.fixture(scope="package")
def person(chromium: Browser) -> Iterator[BrowserContext]:
    """A person's browser: one, because to start it takes longer than most tests. Each test's catalogue is new to it."""
    width, height = DESKTOP
    context = chromium.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    context.set_default_timeout(MILLISECONDS)
    # With the last page, the browser would close its window, which is what takes long to open.
    context.new_page()
    yield context
    context.close()


def _complain(complaints: list[str], message: ConsoleMessage, catalogue: Catalogue) -> None:
    # The browser reports every request that fails; tests that want them to fail say so by the state.
    is_request = message.text.startswith("Failed to load resource") and catalogue.state != "open"
    if message.type in ("error", "warning") and not is_request:
        complaints.append(f"{message.text} {message.location.get('url', '')}")


@pytest.fixture
def page(person: BrowserContext, catalogue: Catalogue, complaints: list[str]) -> Iterator[Page]:
    def complain(message: ConsoleMessage) -> None:
        _complain(complaints, message, catalogue)

    def fail(error: WebError) -> None:
        complaints.append(str(error.error))

    person.on("console", complain)
    person.on("weberror", fail)
    page = person.new_page()
    yield page
    page.close()
    person.remove_listener("console", complain)
    person.remove_listener("weberror", fail)
