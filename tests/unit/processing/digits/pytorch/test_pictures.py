"""A picture of a digit is a PNG file of 28 x 28 grey pixels of 8 bits; anything else is refused unread."""

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, PngImagePlugin

from digits.pictures import LARGEST_PNG, BadPicture, Pixels, decode, encode
from tests.unit.processing.digits.pytorch.helpers import Rows, png

DIGITS = arrays(np.uint8, (28, 28))
ONE = np.arange(784, dtype=np.uint8).reshape(28, 28)


def refusal(content: bytes) -> str:
    with pytest.raises(BadPicture) as refused:
        decode(content)
    return str(refused.value)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def header(
    width: int, height: int, depth: int = 8, colour: int = 0, data: bytes = b"", more: bytes = b""
) -> bytes:
    """A PNG file that claims to be of this size, with more chunks before its data."""
    first = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    last = chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + first + more + last


def with_flag(place: int) -> bytes:
    """A PNG file whose header has a 1 at this place."""
    fields = bytearray(struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0))
    fields[place] = 1
    content = header(28, 28, data=bytes(29 * 28))
    return content[:8] + chunk(b"IHDR", bytes(fields)) + content[33:]


TEXT_BOMB = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(8 << 20)))


@given(DIGITS)
def test_what_is_encoded_is_decoded_by_this_and_by_other_programs(pixels: Pixels) -> None:
    content = encode(pixels)
    assert np.array_equal(decode(content), pixels)
    with Image.open(io.BytesIO(content)) as picture:
        picture.verify()


@given(DIGITS)
def test_what_other_programs_encode_is_decoded(pixels: Pixels) -> None:
    assert np.array_equal(decode(png(pixels)), pixels)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"not a picture", "is no PNG file"),
        (b"\x89PNG\r\n\x1a\n", "is no PNG file"),
        (png(ONE, "JPEG"), "is a JPEG image; save it as PNG"),
        (png(ONE, "GIF"), "is a GIF image; save it as PNG"),
        (png(ONE, "BMP"), "is a BMP image; save it as PNG"),
        (png(ONE[:27]), "is 28 x 27 pixels; expected 28 x 28"),
        (png(np.zeros((32, 32), np.uint8)), "is 32 x 32 pixels; expected 28 x 28"),
        (png(np.zeros((28, 28, 3), np.uint8)), "is colour, 8 bit a channel; expected grey, 8 bit"),
        (png(np.zeros((28, 28, 4), np.uint8)), "is colour with transparency, 8 bit a channel; expected grey, 8 bit"),
        (png(np.zeros((28, 28, 2), np.uint8)), "is grey with transparency, 8 bit a channel; expected grey, 8 bit"),
        (png(np.zeros((28, 28), bool)), "is grey, 1 bit a channel; expected grey, 8 bit"),
        (png(np.zeros((28, 28), np.uint16)), "is grey, 16 bit a channel; expected grey, 8 bit"),
        (header(28, 28, colour=3), "is palette, 8 bit a channel; expected grey, 8 bit"),
        (header(28, 28, colour=9), "is an unknown kind, 8 bit a channel; expected grey, 8 bit"),
        (png(ONE)[:-40], "cannot be decoded; it is damaged"),
        (png(ONE)[:-1], "cannot be decoded; it is damaged"),
        (header(28, 28), "cannot be decoded; it is damaged"),
        (header(28, 28, data=bytes(29 * 28 - 1)), "cannot be decoded; it is damaged"),
        (header(28, 28, data=bytes(29 * 28 + 1)), "cannot be decoded; it is damaged"),
        (header(28, 28, data=bytes(64 << 20)), f"has {len(header(28, 28, data=bytes(64 << 20))):,} bytes; at most 16,384 are read"),
        (header(28, 28, data=bytes(8 << 20)), "cannot be decoded; it is damaged"),
        (header(28, 28, data=bytes([5, *bytes(28)] * 28)), "cannot be decoded; it is damaged"),
        (header(28, 28, data=bytes(29 * 28), more=chunk(b"PLTX", b"")), "cannot be decoded; it is damaged"),
        (header(28, 28, data=bytes(29 * 28), more=header(28, 28)[8:33]), "cannot be decoded; it is damaged"),
        (with_flag(10), "cannot be decoded; it is damaged"),
        (with_flag(11), "cannot be decoded; it is damaged"),
        (with_flag(12), "is interlaced; save it without interlacing"),
        (png(ONE) + bytes(LARGEST_PNG), f"has {len(png(ONE)) + LARGEST_PNG:,} bytes; at most 16,384 are read"),
    ],
)  # fmt: skip
def test_any_other_picture_is_refused(content: bytes, message: str) -> None:
    assert refusal(content) == message


@pytest.mark.parametrize("side", [1000, 2**31 - 1, 2**32 - 1])
def test_a_huge_picture_in_a_few_bytes_is_refused_before_it_is_decoded(
    side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zlib, "decompressobj", lambda *_: pytest.fail("decoded"))
    assert refusal(header(side, side, data=bytes(10**6))).startswith(f"is {side:,} x {side:,} pixels")


@given(arrays(np.uint8, (28, 29)))
def test_every_filter_is_undone_as_pillow_undoes_it(lines: Pixels) -> None:
    lines[:, 0] %= 5
    content = header(28, 28, data=lines.tobytes())
    with Image.open(io.BytesIO(content)) as picture:
        assert np.array_equal(decode(content), np.asarray(picture))


def test_only_the_pixels_of_a_picture_are_decompressed() -> None:
    assert not decode(header(28, 28, data=bytes(29 * 28), more=TEXT_BOMB)).any()


def test_the_data_may_be_in_several_chunks(sample: Rows) -> None:
    content, _ = sample[0]
    end = content.index(b"IDAT") - 4
    length = struct.unpack_from(">I", content, end)[0]
    data = content[end + 8 : end + 8 + length]
    split = b"".join(chunk(b"IDAT", data[start : start + 7]) for start in range(0, length, 7))
    assert np.array_equal(decode(content[:end] + split + chunk(b"IEND", b"")), decode(content))


def test_a_second_header_of_another_size_does_not_get_past_the_check() -> None:
    small, large = header(28, 28, data=bytes(29 * 28)), header(2000, 2000, data=bytes(2001 * 2000))
    content = small[:33] + large[8:]
    with suppress(BadPicture):
        assert decode(content).shape == (28, 28)


def test_what_a_picture_carries_besides_pixels_is_gone_when_it_is_encoded_again() -> None:
    extra = PngImagePlugin.PngInfo()
    extra.add_text("Comment", "<script>")
    stream = io.BytesIO()
    Image.fromarray(ONE).save(stream, "PNG", pnginfo=extra)
    assert b"<script>" in stream.getvalue()
    assert b"<script>" not in encode(decode(stream.getvalue()))


@given(st.integers(0, len(png(ONE)) - 1), st.binary(max_size=8))
def test_a_damaged_picture_is_decoded_or_refused(position: int, damage: bytes) -> None:
    content = png(ONE)
    with suppress(BadPicture):
        assert decode(content[:position] + damage + content[position + len(damage) :]).shape == (28, 28)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(content: bytes) -> None:
    refusal(content)
    refusal(header(28, 28) + content)
    refusal(header(28, 28)[:33] + content)
