"""Untrusted text, as it is shown to people."""

import pytest

from shared.text import ascii_only, defang, has_ink
from tests.unit.functions.conftest import ROOT  # noqa: F401 - the functions' modules are found by it

# Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt, version 16: nothing of these is drawn.
IGNORABLE = [
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("See http://evil.example/a?b", "See http[:]//evil[.]example/a?b"),
        ("HTTPS://EVIL.EXAMPLE", "HTTPS[:]//EVIL[.]EXAMPLE"),
        ("javascript://x", "javascript[:]//x"),
        ("www.4you", "www[.]4you"),
        ("Ada <ada@evil.example>", "Ada <ada@evil[.]example>"),
        ("evil。example", "evil[。]example"),
        ("evil.xn--p1ai", "evil[.]xn--p1ai"),
        ("cars.csv.zip", "cars.csv[.]zip"),
        (r"\\host\share", r"[\\]host\share"),
    ],
)
def test_a_link_is_taken_apart(written: str, shown: str) -> None:
    assert defang(written) == shown
    assert defang(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        'incoming/cars 2026+spring.csv, line 14: horsepower is "1.5"; expected a number',
        "runs/mpg-20260301-0925-3fa85f64/evaluation/model.tar.gz was changed after the evaluation.",
        "'ml.m5.large for processing job usage' is 0 at 10:48",
        "arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg-pipeline/1",
    ],
)
def test_a_text_without_a_link_is_unchanged(text: str) -> None:
    assert defang(text) == text


def test_an_accent_is_dropped_and_no_letter_becomes_part_of_a_link() -> None:
    assert ascii_only("Zoë http\uff1a\uff0f\uff0fevil\uff0eexample") == "Zoe http???evil?example"


@pytest.mark.parametrize("first", IGNORABLE, ids=lambda span: f"U+{span[0]:04X}")
def test_nothing_that_is_never_drawn_has_ink(first: tuple[int, int]) -> None:
    assert not has_ink("".join(map(chr, range(first[0], first[1] + 1))))


@pytest.mark.parametrize(
    "blank",
    ["", " \u3000\u2003\t\n", "\u2800", "\u0301\u0308", "\ue000", "\U0001d159", "\u3164\u115f\u200b\u202e"],
    ids=ascii,
)
def test_blanks_and_accents_alone_have_no_ink(blank: str) -> None:
    assert not has_ink(blank)


@pytest.mark.parametrize("drawn", ["A", "\u3164Ada", "e\u0301", "李", "?", "👍", "٣"], ids=ascii)
def test_a_letter_digit_mark_or_symbol_has_ink(drawn: str) -> None:
    assert has_ink(drawn)
