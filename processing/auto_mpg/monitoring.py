"""What is watched of cars and of the answers about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auto_mpg.car import CONTENT, ORIGINS, Car
from auto_mpg.features import NUMBERS
from auto_mpg.labelled import SAMPLE, labelled_requests
from auto_mpg.requests import read_cars
from common.columns import Columns
from common.content_hash import content_hashes

_ORIGIN_NAMES = {code: name for name, code in ORIGINS.items()}


def features(request: str, model: Path | None) -> Columns:
    """The numbers and the origin that callers send. They do not depend on the model."""
    cars = read_cars(request, "text/csv")
    return {
        **{name: _numbers(cars, name) for name in NUMBERS},
        "origin": [_ORIGIN_NAMES[car.origin] for car in cars],
    }


def predictions(answer: str) -> Columns:
    """The predicted fuel economy."""
    return {"prediction": np.array([float(line) for line in answer.splitlines()])}


def keys(request: str) -> NDArray[np.uint64]:
    """The hash of each car's content, as in the preparation."""
    cars = read_cars(request, "text/csv")
    return content_hashes(_numbers(cars, name) for name in CONTENT)


def errors(answer: str, labels: Sequence[str]) -> NDArray[np.float64]:
    """Squared errors, whose mean is the gate's metric."""
    predicted = np.array([float(line) for line in answer.splitlines()])
    actual = np.array([float(label) for label in labels])
    return np.asarray((predicted - actual) ** 2)


def sample(prepared: Path) -> Iterator[tuple[str, Sequence[str]]]:
    """The sampled rows of the labelled upload and their labels."""
    for labels, request in labelled_requests(prepared / SAMPLE):
        yield request, labels


def _numbers(cars: Sequence[Car], name: str) -> NDArray[np.float64]:
    # None becomes NaN.
    return np.array([getattr(car, name) for car in cars], dtype=np.float64)
