"""Counts what a monitoring job could not read, and says it in a sentence a reason."""

from __future__ import annotations

from common.text import printable


class LeftOut:
    """Rows and lines that were left out, by reason, with the first place of each reason."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._places: dict[str, str] = {}

    def add(self, reason: str, place: str, count: int = 1) -> None:
        """Leave something out; `reason` goes on after "12 rows were left out: "."""
        if count:
            self._counts[reason] = self._counts.get(reason, 0) + count
            self._places.setdefault(reason, place)

    def sentences(self) -> list[str]:
        """For people, in the order in which the reasons came up."""
        return [
            f"{count:,} {'rows were' if count > 1 else 'row was'} left out: {reason} "
            f"({'first ' if count > 1 else ''}{printable(self._places[reason])[:200]})."
            for reason, count in self._counts.items()
        ]
