"""Small histograms of a feature, in the baseline and now."""

from __future__ import annotations

import numpy as np

from common.baseline import Category, Number
from common.drift import Histogram

_BINS = 20
_LABELS = 12
_OTHERS = "others"
_DECIMALS = 6


def histogram_of_numbers(before: Number, after: Number) -> Histogram:
    """Bins of equal width over the values of both, which must have some."""
    low, high = min(before.smallest, after.smallest), max(before.largest, after.largest)
    edges = np.linspace(low, high, _BINS + 1) if low < high else _around(low)
    shares = []
    for number in (before, after):
        places = np.clip(np.searchsorted(edges, number.values, side="right") - 1, 0, len(edges) - 2)
        shares.append(np.bincount(places, number.weights, len(edges) - 1) / number.present)
    return Histogram(_rounded(edges), (), *(share.round(_DECIMALS).tolist() for share in shares))


def histogram_of_categories(before: Category, after: Category) -> Histogram:
    """The most frequent categories of both together, by name, and the rest as one."""
    shares = [{key: count / of.present for key, count in of.counts.items()} for of in (before, after)]
    both = {key: shares[0].get(key, 0.0) + shares[1].get(key, 0.0) for of in shares for key in of}
    labels = sorted(sorted(both, key=lambda key: (-both[key], key))[:_LABELS])
    columns = [[share.get(label, 0.0) for label in labels] for share in shares]
    rest = [max(0.0, 1 - sum(column)) for column in columns]
    if max(rest) > 10**-_DECIMALS:
        labels.append(_OTHERS)
        columns = [[*column, other] for column, other in zip(columns, rest, strict=True)]
    before_shares, after_shares = ([round(share, _DECIMALS) for share in column] for column in columns)
    return Histogram((), labels, before_shares, after_shares)


def _around(value: float) -> np.ndarray:
    half = max(0.5, abs(value) / 1000)
    return np.array([value - half, value + half])


def _rounded(edges: np.ndarray) -> list[float]:
    """To as many digits as anyone reads on an axis."""
    return [float(f"{edge:.{_DECIMALS}g}") for edge in edges.tolist()]
