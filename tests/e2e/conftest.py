"""Shared by the end-to-end tests: one deployed stack, and whether a browser is available."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from local.cli.deploy import ENDPOINT_TYPE, NO_ENDPOINT, set_parameters
from tests.e2e.catalogue import Catalogue
from tests.e2e.chromium import ARGUMENTS, find_chromium
from tests.e2e.up import TRIALS, Asked, Up, ask, running
from tests.e2e.visitor import approve
from tests.pytorch import left_out

CHROMIUM = find_chromium()
NEED_CHROMIUM = [
    "test_approval_in_chromium.py",
    "test_catalogue_in_chromium.py",
    "test_web_pages_in_chromium.py",
]
collect_ignore = [*([] if CHROMIUM else NEED_CHROMIUM), *left_out(__file__)]


def pytest_report_header() -> str:
    if CHROMIUM:
        return f"browser of tests/e2e: {CHROMIUM}"
    return (
        f"not collected: {', '.join(NEED_CHROMIUM)} of tests/e2e, because there is no Chromium here. "
        "Install one, or name one with CHROMIUM=/path/to/it; the other tests ask the page the same over HTTP."
    )


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """`mpg up`, once for all tests of a session, with few trials and no endpoints: most only need a model."""
    with running(tmp_path_factory.mktemp("up")) as started:
        set_parameters(started.endpoint, {"MaxTrials": TRIALS, ENDPOINT_TYPE: NO_ENDPOINT})
        yield started


@pytest.fixture(scope="session")
def catalogue(up: Up) -> Catalogue:
    """A model that was approved, and a link to the catalogue from the command line."""
    approved = ask(up)
    assert approve(approved.link).status == 303
    assert approved.end()["outcome"] == "approved"
    done = up.place.call("catalogue")
    assert done.returncode == 0, done.stdout
    return Catalogue(up, approved, done.stdout.splitlines()[0])


@pytest.fixture
def asked(up: Up) -> Asked:
    """A request for approval that no other test uses."""
    return ask(up)


@pytest.fixture(scope="session")
def untouched(up: Up) -> Iterator[Asked]:
    """A request for approval that tests read and none of them decides."""
    request = ask(up)
    yield request
    assert request.standing == ("PENDING", "PendingManualApproval", "RUNNING")
