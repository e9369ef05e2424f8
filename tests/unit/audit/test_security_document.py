"""The tests that docs/security.md names exist."""

import re

from tests.unit.audit.test_exceptions import SOURCES
from tests.unit.template.stack import ROOT

DOCUMENT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_test_that_the_document_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", DOCUMENT))
    tests = "".join(path.read_text(encoding="utf-8") for path in SOURCES if path.name.startswith("test_"))
    assert len(named) > 20
    assert {name for name in named if f"def {name}(" not in tests} == set()


def test_every_file_that_the_document_names_exists() -> None:
    links = re.findall(r"\]\((?!http|#)([^)#]+)", DOCUMENT)
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.\w+)`", DOCUMENT)
    assert links
    assert named
    assert [link for link in links if not (ROOT / "docs" / link).is_file()] == []
    assert [name for name in named if not (ROOT / name).is_file()] == []
