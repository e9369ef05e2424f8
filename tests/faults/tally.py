"""What people hear about a run, and the totals of a whole session."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Mail:
    """A mail as received."""

    topic: str
    subject: str
    text: str

    def is_about(self, mark: str) -> bool:
        """Whether its text contains this, other than as the earlier run whose results were reused."""
        if mark not in self.text:
            return False
        return any(mark in line for line in self.text.splitlines() if not line.startswith("Reused:"))


@dataclass(frozen=True)
class Ending:
    """The outcome of an execution; `pending` means that approval was requested."""

    outcome: str
    error: str
    cause: str
    output: dict[str, Any]


@dataclass
class Tally:
    """The faults of a whole session, and how the pipeline handled them."""

    uploads: int = 0
    events: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    killed: int = 0
    lost: set[str] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)
    mails_doubled: set[str] = field(default_factory=set)
    # A mail sent in the instant in which its sender is killed cannot be recorded: a test expects these.
    mails_doubled_knowingly: set[str] = field(default_factory=set)

    def as_data(self) -> dict[str, Any]:
        """Plain numbers, dicts and lists, for `add` in another process."""
        return {
            name: sorted(value)
            if isinstance(value, set)
            else dict(value)
            if isinstance(value, dict)
            else value
            for name, value in vars(self).items()
        }

    def add(self, data: dict[str, Any]) -> None:
        """Add what another process has counted."""
        for name, value in data.items():
            mine = getattr(self, name)
            if isinstance(mine, int):
                setattr(self, name, mine + value)
            else:
                mine.update(value)

    @property
    def problems(self) -> list[str]:
        """The violations, for a person to read."""
        found = {"lost": self.lost, "doubled": self.doubled, "mails doubled": self.mails_doubled}
        return [f"{what}: {key[:100]}" for what, keys in found.items() for key in sorted(keys)]
