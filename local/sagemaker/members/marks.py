"""The possible treatments of a request's member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Union


@dataclass(frozen=True)
class Mark:
    """The treatment of a member, whatever its value."""

    meaning: str


@dataclass(frozen=True)
class Only:
    """These values describe the behaviour here anyway; any other is refused."""

    values: tuple[str | int, ...]


# By the names of members, in lists as in structures.
Members = Mapping[str, Union[Mark, Only, "Members"]]

WORKS = Mark("has the same effect as on AWS")
SHOWN = Mark("is returned by Describe; on one machine it has no other effect")
REFUSED = Mark("is refused")


def only(*values: str | int) -> Only:
    """Values that are accepted."""
    return Only(values)


TAGS: Members = {"Key": WORKS, "Value": WORKS}
