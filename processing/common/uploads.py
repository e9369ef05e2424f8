"""Shared by the checks of uploads: how they refuse a file, and what they count. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from common.text import shown_name

PROBLEMS_SHOWN = 5
# A large file is not read any further once it has so many.
PROBLEMS_COUNTED = 10_000
# The error's name in Step Functions, and the first word of a job's exit message, if the file is bad.
REFUSED = "UploadRefused"
# Several uploads that are prepared together are named in a file, which takes the place of the one upload.
LIST = "upload.list.json"
MOST_TOGETHER = 100
# Among the counts of rows: those of earlier uploads that a later one replaced, if there are any.
REPLACED = "replaced"


class BadUpload(Exception):
    """The upload cannot be used; `str(error)` is the whole message for a person, below 1,000 characters."""


def name_together(names: Sequence[str]) -> str:
    """What messages call several uploads, of which the last one is the newest."""
    others = len(names) - 1
    return f"{names[-1]} with {others} earlier {'file' if others == 1 else 'files'}" if others else names[0]


@dataclass(frozen=True)
class Counts:
    """All rows of an upload, and those with a label. None if the check cannot know."""

    rows: int | None = None
    labelled: int | None = None


@dataclass
class Problems:
    """Collects the problems of a file or of a part of it, shows the first few and counts the others.

    `stopped` says that nothing after them was read.
    """

    name: str
    found: list[tuple[str | None, str]] = field(default_factory=list)
    count: int = 0
    stopped: bool = False

    def add(self, place: str | None, *problems: str) -> None:
        """Add problems at a place such as `line 14`; None for the file as a whole."""
        self.count += len(problems)
        self.found += [(place, problem) for problem in problems]
        del self.found[PROBLEMS_SHOWN:]

    def merge(self, later: Problems) -> None:
        """Add the problems of a later part of the file."""
        self.count += later.count
        self.found += later.found
        del self.found[PROBLEMS_SHOWN:]
        self.stopped |= later.stopped

    @property
    def suffice(self) -> bool:
        """Whether reading on would help nobody."""
        return self.stopped or self.count >= PROBLEMS_COUNTED

    def refuse_any(self) -> None:
        """Raise BadUpload if there was any problem."""
        if not self.found:
            return
        sentences = [self._sentence(place, problem) for place, problem in self.found]
        if self.found[0][0] is not None:
            sentences[0] = f"{shown_name(self.name)}, {sentences[0]}"
        if more := self.count - len(self.found):
            is_least = self.stopped and self.count >= PROBLEMS_COUNTED
            sentences.append(f"and {'at least ' * is_least}{more:,} more")
        raise BadUpload("\n".join(sentences))

    def _sentence(self, place: str | None, problem: str) -> str:
        return f"{shown_name(self.name)} {problem}" if place is None else f"{place}: {problem}"
