"""Makes text from an upload safe to show in a message. Standard library only."""

from __future__ import annotations

import json

_LONGEST_NAME = 256


def quote(text: str) -> str:
    """The text in quotes, shortened, with invisible and control characters escaped."""
    start = text[:41]
    quoted = json.dumps(start, ensure_ascii=not start.isprintable())[1:-1]
    return f'"{quoted}"' if len(quoted) <= 40 else f'"{quoted[:39]}…"'


def printable(text: str) -> str:
    """The text with a space for each invisible, control or text direction character."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else " " for character in text)


def shown_name(name: str) -> str:
    """The name of a file, shortened and printable."""
    return printable(name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…")
