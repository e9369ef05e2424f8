"""What is told of a run, and what a whole session adds up to."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Mail:
    """A mail as somebody got it."""

    topic: str
    subject: str
    text: str


@dataclass(frozen=True)
class Ending:
    """Where an execution got to: `pending` is the approval that somebody was asked for."""

    outcome: str
    error: str
    cause: str
    output: dict[str, Any]


@dataclass
class Tally:
    """What the whole session did to the pipeline, and what the pipeline made of it."""

    uploads: int = 0
    events: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    killed: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    mails_doubled: list[str] = field(default_factory=list)
    # A mail that went out in the instant in which its sender was killed cannot be known of.
    mails_doubled_knowingly: int = 0
