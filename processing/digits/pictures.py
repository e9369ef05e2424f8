"""Decodes and encodes a digit's PNG file, by the same rules in uploads and in requests.

numpy and the standard library only.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from digits import SIDE
from digits.png import HEADER_END, SIGNATURE, Damaged, decode_grey

Pixels = NDArray[np.uint8]

# A digit's PNG has some 300 bytes. PNG's other features could hide a lot of data in a larger file.
LARGEST_PNG = 16 << 10

_GREY_8_BIT = 8, 0  # bit depth and colour type of the PNG specification, section 11.2.2
_COLOUR_TYPES = {
    0: "grey",
    2: "colour",
    3: "palette",
    4: "grey with transparency",
    6: "colour with transparency",
}
_OTHER_FORMATS = {b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"BM": "BMP", b"RIFF": "WebP", b"II*\0": "TIFF"}


class BadPicture(ValueError):
    """The bytes are not the image of a digit; the message completes a sentence about the image."""


def decode(content: bytes) -> Pixels:
    """The pixels, shaped (28, 28), of a PNG file of 28 x 28 grey pixels of 8 bits. Raises BadPicture."""
    _refuse_by_header(content)
    try:
        pixels = decode_grey(content, SIDE, SIDE)
    except Damaged as error:
        raise BadPicture("cannot be decoded; it is damaged") from error
    return np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE)


def encode(pixels: Pixels) -> bytes:
    """A PNG file of the pixels, uncompressed, so that its bytes do not depend on the version of zlib."""
    height, width = pixels.shape
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    stored = struct.pack("<BHH", 1, len(lines), len(lines) ^ 0xFFFF) + lines  # one final block (RFC 1951)
    data = b"\x78\x01" + stored + struct.pack(">I", zlib.adler32(lines))
    header = struct.pack(">IIBBBBB", width, height, *_GREY_8_BIT, 0, 0, 0)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def request_line(pixels: Pixels) -> str:
    """An image as a line of a JSON lines request."""
    return json.dumps({"image": base64.b64encode(encode(pixels)).decode("ascii")}) + "\n"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _refuse_by_header(content: bytes) -> None:
    """Runs before anything is decoded: a few bytes can decode to an image of a million pixels."""
    if not content:
        raise BadPicture("is empty")
    if not content.startswith(SIGNATURE) or content[12:16] != b"IHDR" or len(content) < HEADER_END:
        other = next((name for magic, name in _OTHER_FORMATS.items() if content.startswith(magic)), None)
        raise BadPicture(f"is a {other} image; save it as PNG" if other else "is no PNG file")
    width, height, depth, colour, compression, filters, interlaced = struct.unpack(">IIBBBBB", content[16:29])
    if (width, height) != (SIDE, SIDE):
        raise BadPicture(f"is {width:,} x {height:,} pixels; expected {SIDE} x {SIDE}")
    if (depth, colour) != _GREY_8_BIT:
        kind = _COLOUR_TYPES.get(colour, "an unknown kind")
        raise BadPicture(f"is {kind}, {depth} bit a channel; expected grey, 8 bit")
    if interlaced:
        raise BadPicture("is interlaced; save it without interlacing")
    if compression or filters:
        raise BadPicture("cannot be decoded; it is damaged")
    if len(content) > LARGEST_PNG:
        raise BadPicture(f"has {len(content):,} bytes; at most {LARGEST_PNG:,} are read")
