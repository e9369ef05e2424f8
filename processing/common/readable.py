"""Reads rows together that came from anywhere, though some of them may be unreadable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Row = TypeVar("Row")
Read = TypeVar("Read")


def each_readable(
    read: Callable[[Sequence[Row]], Read], rows: Sequence[Row], refuse: Callable[[Row], object]
) -> Iterator[tuple[Sequence[Row], Read]]:
    """Groups of the rows with what was read of each group; `refuse` gets those that cannot be read.

    `read` raises ValueError, LookupError or TypeError if it cannot read one of its rows, whichever.
    """
    if not rows:
        return
    try:
        found = read(rows)
    except (ValueError, LookupError, TypeError):
        if len(rows) == 1:
            refuse(rows[0])
            return
        middle = len(rows) // 2
        yield from each_readable(read, rows[:middle], refuse)
        yield from each_readable(read, rows[middle:], refuse)
    else:
        yield rows, found
