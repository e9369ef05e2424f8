"""The tests that docs/aws.md names exist, which show that the embedded AWS is as strict as AWS."""

import re

from tests.conftest import ROOT

DOCUMENT = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8")
HEADING = "## What AWS does, and what the embedded AWS does\n"


def test_every_test_of_the_table_is_there() -> None:
    table = DOCUMENT.partition(HEADING)[2].partition("\n## ")[0]
    named = set(re.findall(r"`(test_\w+|Test\w+)`", table))
    files = set(re.findall(r"`(tests/[\w/.]+)`", table))
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 50
    assert {
        name for name in named if not re.search(rf"^\s*(def|class) {name}\b", tests, re.MULTILINE)
    } == set()
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_every_line_of_the_table_names_one() -> None:
    table = DOCUMENT.partition(HEADING)[2].partition("\n## ")[0]
    rows = [
        line
        for line in table.splitlines()
        if line.startswith("| ") and not line.startswith("| What AWS does")
    ]
    assert len(rows) > 30
    assert [row for row in rows if "test" not in row.rsplit(" | ", 1)[-1]] == []
