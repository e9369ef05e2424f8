"""The functions' own way to take links apart, for text from uploaders and reviewers that `mpg` shows."""

import runpy
from functools import cache
from typing import Any

from local.cli.project import ROOT


def defang(text: str) -> str:
    """The text with every link in it taken apart, so that no terminal makes it clickable."""
    return str(_functions_text()["defang"](text))


@cache
def _functions_text() -> dict[str, Any]:
    # This module belongs to the Lambdas and is in no package.
    return runpy.run_path(str(ROOT / "functions" / "text.py"))
