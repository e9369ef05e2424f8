"""What can become of a member of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Union


@dataclass(frozen=True)
class Mark:
    """What becomes of a member, whatever its value."""

    meaning: str


@dataclass(frozen=True)
class Only:
    """These values ask for what is done here anyway; any other is refused."""

    values: tuple[str | int, ...]


# By the names of members; inside of lists as inside of structures.
Members = Mapping[str, Union[Mark, Only, "Members"]]

WORKS = Mark("has the effect that it has on AWS")
SHOWN = Mark("is given back by Describe; on one machine there is nothing else to do with it")
REFUSED = Mark("is refused")


def only(*values: str | int) -> Only:
    """Values that are accepted."""
    return Only(values)


TAGS: Members = {"Key": WORKS, "Value": WORKS}
