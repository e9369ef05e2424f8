"""Whole numbers, one a line."""

from typing import BinaryIO

from common.uploads import BadUpload, Counts


def check(stream: BinaryIO, name: str, *, whole: bool = True) -> Counts:
    lines = stream.read(1 << 20).decode().split()
    if not all(line.isdecimal() for line in lines):
        raise BadUpload(f"{name} holds something that is no number")
    return Counts(len(lines), len(lines))
