"""docs/reliability.md names every test of a fault and only existing tests, so a reader can run any line of it."""

import ast
import re

from tests.conftest import ROOT

TESTS = ROOT / "tests"
NAMED = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")))


def names_below(folder: str) -> set[str]:
    return {
        node.name
        for path in (TESTS / folder).rglob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_test_of_a_fault_has_its_line() -> None:
    assert names_below("faults") - NAMED == set()


def test_every_test_that_has_a_line_is_there() -> None:
    everywhere = set().union(*map(names_below, ("faults", "integration", "statemachine", "unit")))
    assert NAMED - everywhere == set()
