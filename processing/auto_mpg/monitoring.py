"""What is watched of cars and of the answers about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auto_mpg.car import ORIGINS
from auto_mpg.features import NUMBERS
from auto_mpg.labelled import SAMPLE, labelled_requests
from auto_mpg.requests import read_contents
from common.columns import Columns
from common.content_hash import content_hashes

_ORIGIN_NAMES = {code: name for name, code in ORIGINS.items()}


def features(request: str, model: Path | None) -> Columns:
    """The numbers and the origin that callers send. They do not depend on the model."""
    *numbers, origins = read_contents(request, "text/csv").T
    return {
        **dict(zip(NUMBERS, numbers, strict=True)),
        "origin": [_ORIGIN_NAMES[int(code)] for code in origins.tolist()],
    }


def predictions(answer: str) -> Columns:
    """The predicted fuel economy."""
    return {"prediction": _numbers(answer.splitlines())}


def keys(request: str) -> NDArray[np.uint64]:
    """The hash of each car's content, as in the preparation."""
    return content_hashes(read_contents(request, "text/csv").T)


def errors(answer: str, labels: Sequence[str]) -> NDArray[np.float64]:
    """Squared errors, whose mean is the gate's metric."""
    return np.square(_numbers(answer.splitlines()) - _numbers(labels))


def sample(prepared: Path) -> Iterator[tuple[str, Sequence[str]]]:
    """The sampled rows of the labelled upload and their labels."""
    for labels, request in labelled_requests(prepared / SAMPLE):
        yield request, labels


def _numbers(texts: Sequence[str]) -> NDArray[np.float64]:
    return np.array(list(map(float, texts)), dtype=np.float64)
