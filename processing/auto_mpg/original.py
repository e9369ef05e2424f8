"""The layout of UCI's original files, auto-mpg.data and auto-mpg.data-original. Standard library only."""

from __future__ import annotations

import re

from auto_mpg.car import COLUMNS
from common.csv_rows import Layout


def _split(line: str) -> list[str]:
    fields = line.split(maxsplit=8)
    return [*fields[:8], *(name.strip().strip('"') for name in fields[8:])]


# No header; eight values separated by blanks, then the name.
ORIGINAL = Layout(
    first_line=re.compile(r"\s*(?:(?:[\d.]+|NA|\?)\s+){8}\S", re.IGNORECASE | re.ASCII),
    header=COLUMNS,
    split=_split,
)
