"""How much of what is new is looked at in one window."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from monitoring.sources import Source
from shared.text import number, one_line

# A job on an ml.m5.large reads as much within minutes. The manifest of so many files has some 100 KB.
MOST_FILES = 1000
MOST_BYTES = 256 * 1024**2


@dataclass(frozen=True)
class Window:
    """The sources that are looked at, oldest first, and the end of the window. `notes` are for people."""

    sources: tuple[Source, ...]
    until: datetime
    notes: tuple[str, ...] = ()

    @property
    def keys(self) -> list[str]:
        """The objects of all sources."""
        return [file.key for source in self.sources for file in source.files]


def fit(sources: Iterable[Source], until: datetime) -> Window:
    """As many of the oldest sources as one look may take; if not all, the window ends before the first other.

    A source that is too large by itself is left out, now and later, and the notes say so.
    """
    taken: list[Source] = []
    notes: list[str] = []
    files = size = 0
    for source in sorted(sources, key=lambda source: source.at):
        if source.bytes > MOST_BYTES or len(source.files) > MOST_FILES:
            notes.append(_too_large(source))
            continue
        files, size = files + len(source.files), size + source.bytes
        if files > MOST_FILES or size > MOST_BYTES:
            # What was stored in the same second is looked at next time, too.
            kept = tuple(each for each in taken if each.at < source.at)
            if kept:
                return Window(kept, source.at, (*notes, _LATER))
        taken.append(source)
    return Window(tuple(taken), until, tuple(notes))


_LATER = (
    f"There is more than one look takes ({number(MOST_FILES)} files, {number(MOST_BYTES // 1024**2)} MiB). "
    "The next one continues here."
)


def _too_large(source: Source) -> str:
    return (
        f"{one_line(source.name, 100)} was left out: {number(len(source.files))} files with "
        f"{number(source.bytes // 1024**2)} MiB are more than one look takes."
    )
