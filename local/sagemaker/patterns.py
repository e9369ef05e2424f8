"""Java regular expressions, as SageMaker's service model writes them, for Python."""

from __future__ import annotations

import functools

import regex

# Java's `.` matches none of these, Python's excludes only the line feed.
_ANY = r"[^\n\r\u0085\u2028\u2029]"
_ASCII_CLASSES = {"d": "0-9", "w": "a-zA-Z0-9_", "s": r" \t\n\x0b\f\r"}
# Java represents characters beyond the first plane as surrogate pairs, which Python's strings do not have.
_ASTRAL = (r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")


@functools.cache
def java_pattern(pattern: str) -> regex.Pattern[str]:
    """The compiled equivalent; use `fullmatch`, since the service matches whole values."""
    return regex.compile(_translate(pattern.replace(*_ASTRAL)))


def _translate(pattern: str) -> str:
    out: list[str] = []
    depth = 0
    pieces = iter(regex.findall(r"\\.|\$(?:\{\d+,\d+\})?|.", pattern, regex.DOTALL))
    for piece in pieces:
        if piece[0] == "\\" and piece[1] in _ASCII_CLASSES:
            chars = _ASCII_CLASSES[piece[1]]
            out.append(chars if depth else f"[{chars}]")
        elif piece == "." and not depth:
            out.append(_ANY)
        elif piece.startswith("${"):
            # The model has `(...)*${1,256}`: an anchor with a count, which Java accepts and ignores.
            continue
        else:
            depth += {"[": 1, "]": -1}.get(piece, 0)
            out.append(piece)
    return "".join(out)
