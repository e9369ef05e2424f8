"""Every exception from a security check has its reason beside it."""

import re
from pathlib import Path

from tests.unit.template.stack import ROOT, template

FOLDERS = ["audit", "benchmarks", "deploy", "functions", "local", "processing", "tests"]
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def place(path: Path, text: str, at: int) -> str:
    return f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, at) + 1}"


def test_every_exception_in_the_code_says_why() -> None:
    exceptions, silent = 0, []
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        for found in re.finditer(r"# noqa: S\d+(?:, S\d+)*(?P<why> - \w.*)?", text):
            exceptions += 1
            if not found["why"]:
                silent.append(place(path, text, found.start()))
    assert exceptions
    assert silent == []


def test_every_exception_for_a_folder_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    ignored = text.partition("[tool.ruff.lint.per-file-ignores]")[2].partition("\n[")[0]
    lines = [line for line in ignored.splitlines() if re.search(r'"S\d+"', line)]
    assert lines
    assert [line for line in lines if not re.search(r"# \w", line)] == []


def test_every_exception_in_the_template_says_why() -> None:
    exceptions = {
        f"{name} {skip['id']}": skip.get("comment", "")
        for name, resource in template()["Resources"].items()
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    }
    assert exceptions
    assert [name for name, comment in exceptions.items() if len(comment.split()) < 5] == []


def test_every_exception_for_the_whole_template_says_why() -> None:
    lines = (ROOT / "audit" / "checkov.yaml").read_text(encoding="utf-8").splitlines()
    exceptions = [at for at, line in enumerate(lines) if line.startswith("  - CKV")]
    assert exceptions
    assert [lines[at] for at in exceptions if not lines[at - 1].startswith("  # ")] == []
