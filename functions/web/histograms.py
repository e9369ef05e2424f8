"""Computes the outlines of two histograms over each other; `templates/drift.html` draws them as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.drift import Histogram
from shared.text import number, shorten

WIDTH, HEIGHT = 180, 70
# The margin is half of the outline's width.
_BASE, _TOP, _MARGIN = 54, 2, 1
_GAP = 3.0
# More names than the last are written only if each of them has room for its letters.
_BINS_SHOWN, _LABELS_SHOWN, _NAMES_SHORTENED = 100, 10, 4
_LETTER = 7
_OTHERS = "others"


@dataclass(frozen=True)
class Label:
    """A text below the bins."""

    x: float
    anchor: str
    text: str


@dataclass(frozen=True)
class HistogramPlot:
    """The outlines of baseline and now, as the `d` of an SVG path, and in words for those who see none."""

    baseline: str
    current: str
    labels: Sequence[Label]
    words: str
    width, height, base = WIDTH, HEIGHT, _BASE


def histogram_plot(found: Histogram) -> HistogramPlot | None:
    """The outlines, in bins of equal width whatever they span; None for more bins than one can see."""
    if found.labels:
        return _categories(found)
    return _numbers(found) if len(found.baseline) <= _BINS_SHOWN else None


def percent(share: float) -> str:
    """`12 %`, `0.4 %`."""
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def _numbers(found: Histogram) -> HistogramPlot:
    low, high = number(found.edges[0]), number(found.edges[-1])
    labels = [Label(0, "start", low), Label(WIDTH, "end", high)]
    words = f"most often {_peak(found, found.baseline)} then, {_peak(found, found.current)} now"
    return _plot(found.baseline, found.current, 0, labels, words)


def _categories(found: Histogram) -> HistogramPlot:
    rows = list(zip(found.labels, found.baseline, found.current, strict=True))
    if len(rows) > _LABELS_SHOWN:
        rows.sort(key=lambda row: -max(row[1], row[2]))
        rest = rows[_LABELS_SHOWN - 1 :]
        rows = [
            *rows[: _LABELS_SHOWN - 1],
            (_OTHERS, sum(row[1] for row in rest), sum(row[2] for row in rest)),
        ]
    slot = WIDTH / len(rows)
    fits = all(len(row[0]) * _LETTER <= slot for row in rows)
    written = rows if fits or len(rows) <= _NAMES_SHORTENED else []
    labels = [
        Label(round((at + 0.5) * slot, 1), "middle", shorten(row[0], int(slot / _LETTER)))
        for at, row in enumerate(written)
    ]
    words = "; ".join(
        f"{shorten(name, 40)}: {percent(was)} then, {percent(now)} now" for name, was, now in rows
    )
    return _plot([row[1] for row in rows], [row[2] for row in rows], _GAP, labels, words)


def _plot(
    baseline: Sequence[float], current: Sequence[float], gap: float, labels: Sequence[Label], words: str
) -> HistogramPlot:
    highest = max(*baseline, *current) or 1.0
    return HistogramPlot(_outline(baseline, highest, gap), _outline(current, highest, gap), labels, words)


def _outline(shares: Sequence[float], highest: float, gap: float) -> str:
    """Steps from bin to bin; with a gap, a box for each bin."""
    slot = (WIDTH - 2 * _MARGIN) / len(shares)
    drawn = []
    for at, share in enumerate(shares):
        left, right = (round(_MARGIN + x, 1) for x in (at * slot + gap, (at + 1) * slot - gap))
        top = round(_BASE - share / highest * (_BASE - _TOP), 1)
        start = f"M{left} {_BASE}" if gap or at == 0 else ""
        end = f"V{_BASE}" if gap or at == len(shares) - 1 else ""
        drawn.append(f"{start}V{top}H{right}{end}")
    return "".join(drawn)


def _peak(found: Histogram, shares: Sequence[float]) -> str:
    at = max(range(len(shares)), key=shares.__getitem__)
    if not shares[at]:
        return "nowhere"
    return f"{number(found.edges[at])} to {number(found.edges[at + 1])} ({percent(shares[at])})"
