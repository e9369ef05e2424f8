"""Reads a service whose reads are eventually consistent."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
# Some seconds in total, less than any function's timeout.
_PAUSES = (0.5, 1.0, 2.0)


def poll(read: Callable[[], T | None]) -> T | None:
    """Call `read` until it finds something, after growing pauses; None if it finds nothing in the end."""
    for pause in _PAUSES:
        if (found := read()) is not None:
            return found
        time.sleep(pause)
    return read()
