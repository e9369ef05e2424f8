"""What is watched of pictures and of the answers about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.baseline import SAMPLE
from common.columns import Columns
from common.splitting import PARTS
from digits import SIDE
from digits.pictures import Pixels, request_line
from digits.requests import JSON_LINES, read_images

# The activations of the layer before the last one, in groups of neighbours: each of the 64 would be three
# tests, and the more tests, the larger the differences that may be chance.
GROUPS = 8

_INK = 128
_DECIMALS = 6
_LINES_A_REQUEST = 1000

Numbers = NDArray[np.float64]


def features(request: str, model: Path | None) -> Columns:
    """Brightness and contrast from 0 to 1, the sides of what is drawn, and the network's features.

    Without a model the latter are missing.
    """
    pixels = read_images(request, JSON_LINES)
    shades, ink = pixels.reshape(len(pixels), -1) / 255, pixels >= _INK
    return {
        "brightness": _rounded(shades.mean(axis=1)),
        "contrast": _rounded(shades.std(axis=1)),
        "width": _extent(np.any(ink, axis=1)),
        "height": _extent(np.any(ink, axis=2)),
        **{f"network_{group}": values for group, values in enumerate(_activations(pixels, model), start=1)},
    }


def predictions(answer: str) -> Columns:
    """The predicted digit as a category, and its probability."""
    answers = [json.loads(line) for line in answer.splitlines()]
    return {
        "prediction": [str(one["label"]) for one in answers],
        "probability": np.array([one["probability"] for one in answers], dtype=np.float64),
    }


def keys(request: str) -> NDArray[np.uint64]:
    """The hash of each picture's pixels, as in the preparation."""
    hashes = [hashlib.sha256(pixels.tobytes()).digest() for pixels in read_images(request, JSON_LINES)]
    return np.array([int.from_bytes(digest[:8], "big") for digest in hashes], np.uint64)


def errors(answer: str, labels: Sequence[str]) -> Numbers:
    """1 for a right answer and 0 for a wrong one: their mean is the accuracy."""
    found = [str(json.loads(line)["label"]) for line in answer.splitlines()]
    return np.array([one == label for one, label in zip(found, labels, strict=True)], np.float64)


def sample(prepared: Path) -> Iterator[tuple[str, Sequence[str]]]:
    """The labelled pictures with the smallest hashes: the preparation sorted them by these."""
    left = SAMPLE
    for part in PARTS:
        folder = prepared / part
        pixels, labels = (
            np.load(folder / f"{n}.npy", allow_pickle=False)[:left] for n in ("images", "labels")
        )
        left -= len(labels)
        for start in range(0, len(labels), _LINES_A_REQUEST):
            some = slice(start, start + _LINES_A_REQUEST)
            yield "".join(map(request_line, pixels[some])), list(map(str, labels[some].tolist()))


def _extent(has_ink: NDArray[np.bool_]) -> Numbers:
    """Of each image, the columns or rows from the first to the last with a bright pixel; 0 without any."""
    first, last = has_ink.argmax(axis=1), SIDE - has_ink[:, ::-1].argmax(axis=1)
    return np.where(np.any(has_ink, axis=1), last - first, 0).astype(np.float64)


def _activations(pixels: Pixels, model: Path | None) -> Numbers:
    """The mean of each group of activations, shaped (GROUPS, images)."""
    if model is None:
        return np.full((GROUPS, len(pixels)), np.nan)
    # Only here: its import takes seconds, and the rest needs numpy alone.
    import torch

    from digits.inference import WEIGHTS, load_network

    network = load_network(model / WEIGHTS)
    with torch.inference_mode():
        found = network.penultimate(torch.from_numpy(pixels).float()).numpy()
    return _rounded(found.reshape(len(pixels), GROUPS, -1).mean(axis=2, dtype=np.float64).T)


def _rounded(values: Numbers) -> Numbers:
    """Without the last bits, which depend on the library's version."""
    return values.round(_DECIMALS)
