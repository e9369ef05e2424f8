"""Reads parsed JSON of unknown form: a value of another type counts as empty. Standard library only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def mapping(content: object) -> Mapping[str, Any]:
    """The content if it is an object, otherwise an empty one."""
    return content if isinstance(content, Mapping) else {}


def items(content: object) -> Sequence[Any]:
    """The content if it is an array, otherwise an empty one."""
    return content if isinstance(content, list | tuple) else ()


def text(content: object) -> str:
    """The content if it is a string, otherwise an empty one."""
    return content if isinstance(content, str) else ""


def number(content: object) -> float | None:
    """The content if it is a finite number, otherwise None."""
    if isinstance(content, bool) or not isinstance(content, int | float):
        return None
    try:
        number = float(content)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
