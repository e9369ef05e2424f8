"""Decodes the data of a PNG file of grey pixels (W3C, PNG specification, third edition).

Our own, so that a model can be served with numpy alone, and all servers read the same pixels. For digits it
takes as long as Pillow. What the specification calls an error is refused. Standard library only.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Length, kind, content and checksum of the first chunk, which describes the picture.
HEADER_END = len(SIGNATURE) + 4 + 4 + 13 + 4


class Damaged(ValueError):
    """The file breaks the rules of PNG."""


def decode_grey(content: bytes, width: int, height: int) -> bytes:
    """The bytes of the pixels, line by line.

    The header must have been checked: this size, 8 bits a pixel, no interlacing. Whatever else the file holds
    is never decompressed. Raises Damaged.
    """
    parts = []
    for kind, data in _chunks(content):
        if kind == b"IDAT":
            parts.append(data)
        elif kind not in (b"IHDR", b"IEND") and not kind[0] & 0x20:
            raise Damaged  # upper case: who does not know this chunk cannot show the picture
    return _unfiltered(_decompressed(b"".join(parts), height * (width + 1)), width)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The kind and the content of each chunk, to the last one."""
    position, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if len(content) < position + 12:
            raise Damaged
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 8 + length
        if content[end : end + 4] != struct.pack(">I", zlib.crc32(content[position + 4 : end])):
            raise Damaged
        if (kind == b"IHDR") != (position == len(SIGNATURE)):
            raise Damaged
        yield kind, content[position + 8 : end]
        position = end + 4


def _decompressed(data: bytes, size: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        # One byte more, so that the stream's end and its checksum are read.
        lines = stream.decompress(data, size + 1)
    except zlib.error as error:
        raise Damaged from error
    if len(lines) != size or not stream.eof:
        raise Damaged
    return lines


def _unfiltered(lines: bytes, width: int) -> bytes:
    """Undo the filters of the specification's section 9; each line begins with the number of its filter."""
    above, found = bytes(width), []
    for start in range(0, len(lines), width + 1):
        above = _unfilter(lines[start], lines[start + 1 : start + 1 + width], above)
        found.append(above)
    return b"".join(found)


def _unfilter(kind: int, line: bytes, above: bytes) -> bytes:
    if kind == 0:
        return line
    if kind == 2:
        return bytes([(value + up) & 255 for value, up in zip(line, above, strict=True)])
    if kind not in (1, 3, 4):
        raise Damaged
    left = corner = 0
    found = bytearray()
    for value, up in zip(line, above, strict=True):
        guess = left if kind == 1 else (left + up) >> 1 if kind == 3 else _paeth(left, up, corner)
        left = (value + guess) & 255
        found.append(left)
        corner = up
    return bytes(found)


def _paeth(left: int, up: int, corner: int) -> int:
    """The neighbour that is nearest to left + up - corner (section 9.4)."""
    by_left, by_up, by_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    if by_left <= by_up and by_left <= by_corner:
        return left
    return up if by_up <= by_corner else corner
