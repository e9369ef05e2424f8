"""Text from an upload as a message may show it. Standard library only."""

from __future__ import annotations

import json

_LONGEST_NAME = 256


def quote(text: str) -> str:
    """The text as a message may show it: short, and with nothing that moves a cursor or hides."""
    start = text[:41]
    quoted = json.dumps(start, ensure_ascii=not start.isprintable())[1:-1]
    return f'"{quoted}"' if len(quoted) <= 40 else f'"{quoted[:39]}…"'


def printable(text: str) -> str:
    """The text with a space for whatever moves a cursor, hides, or turns the direction of what follows."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)


def shown_name(name: str) -> str:
    """The name of a file as a message may show it."""
    return printable(name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…")
