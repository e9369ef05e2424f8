"""Checks how the labels are distributed over the classes and parts, and warns the reviewer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from digits import CLASSES
from digits.upload import FEWEST_IMAGES

Labels = NDArray[np.int64]

FEWEST_IN_CLASS = 10
# A class is rare if it has less than this fraction of an equal share.
RARE = 1 / 3
# Chance alone exceeds this difference between the parts once in 1,000 splits: the chi-squared distribution's
# 99.9 % quantile for (10 - 1) (3 - 1) = 18 degrees of freedom.
_CHI_SQUARED_LIMIT = 42.31
# With many images, a tiny difference is significant; one below Cohen's small effect (w = 0.1) is harmless.
_SMALL_EFFECT = 0.1


def problem_of_labels(labels: Labels, different: int) -> str | None:
    """Why these labels do not suffice for training; `different` is the number of distinct images."""
    if not len(labels):
        return "has no row with a label; a model can only learn from images whose digit is known"
    counts = _counts(labels)
    if missing := [str(name) for name in range(CLASSES) if not counts[name]]:
        return f"has no image with the label {' and none with '.join(missing)}; all of 0 to 9 are needed"
    if few := [f"{counts[name]} of {name}" for name in range(CLASSES) if counts[name] < FEWEST_IN_CLASS]:
        return f"has too few images ({', '.join(few)}); at least {FEWEST_IN_CLASS} of each digit are needed"
    if different < FEWEST_IMAGES:
        return f"has too few different images with a label ({different}); at least {FEWEST_IMAGES} are needed"
    return None


def report(parts: Mapping[str, Labels]) -> dict[str, dict[str, int]]:
    """The number of images of each class in each part."""
    return {part: {str(n): int(c) for n, c in enumerate(_counts(labels))} for part, labels in parts.items()}


def warnings(parts: Mapping[str, Labels]) -> list[str]:
    """A sentence for each class that is rare or absent from a part, and one if the parts differ."""
    counts = np.array([_counts(labels) for labels in parts.values()])
    return [*_rare(counts.sum(axis=0)), *_absent(counts, list(parts)), *_different(counts)]


def _rare(counts: Labels) -> list[str]:
    total = int(counts.sum())
    return [
        f"Only {count:,} of the {total:,} images with a label are a {name} ({count / total:.1%}); "
        "the model may read it badly."
        for name, count in enumerate(counts.tolist())
        if count < RARE * total / CLASSES
    ]


def _absent(counts: Labels, parts: Sequence[str]) -> list[str]:
    return [
        f"The {part} part has no image of a {name}."
        for row, part in zip(counts, parts, strict=True)
        for name in np.flatnonzero(row == 0).tolist()
    ]


def _different(counts: Labels) -> list[str]:
    """Pearson's chi-squared test of homogeneity."""
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    statistic = float(((counts - expected) ** 2 / expected).sum())
    if statistic <= max(_CHI_SQUARED_LIMIT, _SMALL_EFFECT**2 * counts.sum()):
        return []
    return [
        "The digits are distributed differently in training, validation and test, more than chance explains; "
        "are many images of the same digit duplicates?"
    ]


def _counts(labels: Labels) -> Labels:
    return np.bincount(labels, minlength=CLASSES)
