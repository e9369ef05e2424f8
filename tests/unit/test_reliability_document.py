"""docs/reliability.md names every test of a fault, and documents name only tests that exist, so a reader can run any line."""

import re
from functools import cache

import pytest

from tests.conftest import ROOT

TESTS = ROOT / "tests"
_NAME = re.compile(r"`(test_\w+)`")
_TEST = re.compile(r"^def (test_\w+)\(", re.MULTILINE)
NAMED = set(_NAME.findall((ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")))


@cache
def names_below(folder: str) -> set[str]:
    return {
        name
        for path in (TESTS / folder).rglob("test_*.py")
        for name in _TEST.findall(path.read_text(encoding="utf-8"))
    }


def test_every_test_of_a_fault_has_its_line() -> None:
    assert names_below("faults") - NAMED == set()


@pytest.mark.parametrize("document", ["reliability", "monitoring", "retraining"])
def test_every_test_that_has_a_line_is_there(document: str) -> None:
    named = set(_NAME.findall((ROOT / "docs" / f"{document}.md").read_text(encoding="utf-8")))
    everywhere = set().union(*map(names_below, ("e2e", "faults", "integration", "statemachine", "unit")))
    assert named - everywhere == set()
    assert named
