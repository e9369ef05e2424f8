"""Reading a service that shows a moment later what it has done: reads can be eventually consistent."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
# Some seconds in all: less than any function may take.
_PAUSES = (0.5, 1.0, 2.0)


def poll(read: Callable[[], T | None]) -> T | None:
    """What `read` finds. While it finds nothing it is called again, after growing pauses; None in the end."""
    for pause in _PAUSES:
        if (found := read()) is not None:
            return found
        time.sleep(pause)
    return read()
