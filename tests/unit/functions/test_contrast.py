"""Texts and pictures can be told from what is behind them, in the light and in the dark scheme."""

import re
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

Rgb = tuple[float, ...]
REVIEW = (ROOT / "functions/web/templates/page.css").read_text()
REPORT = (ROOT / "functions/reporting/templates/report.css").read_text()
CATALOGUE = (ROOT / "functions/catalogue_site/catalogue.css").read_text()
# WCAG 2.2, level AA: success criterion 1.4.3 for text, 1.4.11 for what a picture must show.
LEAST, LEAST_OF_PICTURES = 4.5, 3.0


def colors(css: str, scheme: str) -> dict[str, Rgb]:
    """The colours of a scheme by their names."""
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    found = re.findall(r"--(\w+): ([^;]+);", blocks[("light", "dark").index(scheme)])
    return {name: channels(value) for name, value in found if re.fullmatch(r"#[0-9a-f]+|[\d ]+", value)}


def light(css: str) -> str:
    """The definitions of the light scheme."""
    return str(re.findall(r":root \{(.*?)\}", css, re.DOTALL)[0])


def channels(value: str) -> Rgb:
    if not value.startswith("#"):
        return tuple(map(float, value.split()))
    digits = value[1:] if len(value) == 7 else "".join(2 * digit for digit in value[1:])
    return tuple(float(int(digits[at : at + 2], 16)) for at in (0, 2, 4))


def opacities(css: str) -> Iterator[tuple[str, float]]:
    """The colour and the opacity of each kind of cell."""
    for color, opacity in re.findall(r"\.t\d+ \{ background: rgb\(var\(--(\w+)\) / ([\d.]+)\)", css):
        yield color, float(opacity)
    for color, start, step in re.findall(
        r"rgb\(var\(--(\w+)\) / calc\((?:([\d.]+) \+ )?var\(--tenths\) \* ([\d.]+)\)\)", css
    ):
        yield from ((color, float(start or 0) + tenths * float(step)) for tenths in range(1, 11))


def contrast(one: Rgb, other: Rgb) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(color: Rgb) -> float:
    shares = (channel / 255 for channel in color)
    linear = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return sum(weight * share for weight, share in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("below", ["paper", "tint"])
def test_text_in_every_colour_can_be_read(scheme: str, below: str) -> None:
    known = colors(REVIEW, scheme)
    for color in ("ink", "soft", "accent", "good", "bad"):
        assert contrast(known[color], known[below]) >= LEAST, color


def test_the_report_has_no_colour_of_its_own_and_prints_the_light_ones() -> None:
    screen, _, printed = REPORT.partition("@media print")
    assert re.findall(r"#[0-9a-f]{3,6}|rgb|hsl", screen) == []
    [block] = re.findall(r":root \{(.*?)\}", printed, re.DOTALL)
    assert set(re.findall(r"--\w+: [^;]+;", block)) == set(re.findall(r"--\w+: [^;]+;", light(REVIEW)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("css", [REVIEW, CATALOGUE], ids=["review", "catalogue"])
def test_the_darkest_cell_of_a_matrix_can_be_read(css: str, scheme: str) -> None:
    known, cells = colors(css, scheme), list(opacities(css))
    assert len(cells) == 20
    for color, opacity in cells:
        cell = tuple(
            opacity * above + (1 - opacity) * below
            for above, below in zip(known[color], known["paper"], strict=True)
        )
        assert contrast(known["ink"], cell) >= LEAST, f"{color} at {opacity}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_histograms_can_be_told_from_the_page_and_from_each_other(scheme: str) -> None:
    known = colors(REVIEW, scheme)
    for one, other in (("was", "paper"), ("now", "paper"), ("now", "was")):
        assert contrast(known[one], known[other]) >= LEAST_OF_PICTURES, f"{one} on {other}"
    assert re.search(r"\.histogram \.was \{ fill: var\(--was\)", REVIEW)
    assert re.search(r"\.histogram \.now \{ fill: none; stroke: var\(--now\)", REVIEW)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("color", ["ink", "soft", "accent", "bad"])
def test_every_text_of_the_table_of_drift_can_be_read(color: str, scheme: str) -> None:
    known = colors(REVIEW, scheme)
    assert contrast(known[color], known["paper"]) >= LEAST
