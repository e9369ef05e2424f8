"""The functions' own way to take links apart, for what `mpg` shows of what uploaders and reviewers wrote."""

import runpy
from functools import cache
from typing import Any

from local.cli.project import ROOT


def defang(text: str) -> str:
    """The text with every link in it taken apart, so that no terminal makes it one to click."""
    return str(_functions_text()["defang"](text))


@cache
def _functions_text() -> dict[str, Any]:
    # A module of the Lambdas, which is in no package.
    return runpy.run_path(str(ROOT / "functions" / "text.py"))
