"""Shared by the checks of uploads: how they refuse a file, and what they count. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field

from common.text import shown_name

PROBLEMS_SHOWN = 5
# The error's name in Step Functions, and the first word of a job's exit message, if the file is bad.
REFUSED = "UploadRefused"


class BadUpload(Exception):
    """The upload cannot be used; `str(error)` is the whole message for a person, below 1,000 characters."""


@dataclass(frozen=True)
class Counts:
    """All rows of an upload, and those with a label. None if the check cannot know."""

    rows: int | None = None
    labelled: int | None = None


@dataclass
class Problems:
    """Collects the problems of a file, shows the first few and counts the others."""

    name: str
    shown: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, place: str | None, *problems: str) -> None:
        """Add problems at a place such as `line 14`; None for the file as a whole."""
        for problem in problems:
            self.count += 1
            if len(self.shown) < PROBLEMS_SHOWN:
                self.shown.append(self._sentence(place, problem))

    def refuse_any(self) -> None:
        """Raise BadUpload if there was any problem."""
        if not self.shown:
            return
        more = self.count - len(self.shown)
        raise BadUpload("\n".join([*self.shown, *([f"and {more:,} more"] if more else [])]))

    def _sentence(self, place: str | None, problem: str) -> str:
        name = shown_name(self.name)
        if place is None:
            return f"{name} {problem}"
        return f"{place}: {problem}" if self.shown else f"{name}, {place}: {problem}"
