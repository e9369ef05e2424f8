"""Turns cars into the numbers that the model reads, the same way in training and in serving.

`fitting.py` learns the parameters with scikit-learn. They are stored as JSON and never as a pickle: every
version can read JSON, and loading it executes nothing. Serving repeats the fitted transformer's arithmetic
bit for bit, so that no server has to import scikit-learn.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auto_mpg.car import CONTENT, ORIGINS

NUMBERS = CONTENT[:-1]
FEATURES = (*NUMBERS, *(f"origin_{origin}" for origin in ORIGINS))

_FORMAT = 1


class BadPreprocessor(ValueError):
    """The JSON is not a preprocessor that this code can read."""


@dataclass(frozen=True)
class Preprocessor:
    """Fills in missing horsepower, standardises the numbers and gives each origin a column of its own.

    `means` and `scales` are in the order of NUMBERS.
    """

    missing_horsepower: float
    means: tuple[float, ...]
    scales: tuple[float, ...]

    def features(self, cars: NDArray[np.float64]) -> NDArray[np.float64]:
        """A row of FEATURES for each car; `cars` has the columns of CONTENT, NaN for a missing horsepower."""
        # Column by column is faster for many cars.
        features = np.empty((len(cars), len(FEATURES)), order="F")
        for column in range(len(NUMBERS)):
            features[:, column] = self.scaled(column, cars[:, column])
        for column, origin in enumerate(ORIGINS.values(), start=len(NUMBERS)):
            np.equal(cars[:, -1], origin, out=features[:, column])
        return features

    def scaled(self, column: int, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """The feature of each of these numbers, which are of a column of NUMBERS."""
        filled = np.where(np.isnan(numbers), self.missing_horsepower, numbers)
        return (filled - self.means[column]) / self.scales[column]


def to_json(preprocessor: Preprocessor) -> str:
    """JSON from which `from_json` restores every bit."""
    numbers = {
        name: {"mean": mean, "scale": scale}
        for name, mean, scale in zip(NUMBERS, preprocessor.means, preprocessor.scales, strict=True)
    }
    document = {
        "format": _FORMAT,
        "missing_horsepower": preprocessor.missing_horsepower,
        "numbers": numbers,
        "features": FEATURES,
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def from_json(text: str) -> Preprocessor:
    """Read the result of `to_json`. Raises BadPreprocessor."""
    try:
        document = json.loads(text)
        if document["format"] != _FORMAT or document["features"] != list(FEATURES):
            raise BadPreprocessor("preprocessor.json describes other features than this code makes")
        numbers = [document["numbers"][name] for name in NUMBERS]
        means = tuple(float(number["mean"]) for number in numbers)
        scales = tuple(float(number["scale"]) for number in numbers)
        preprocessor = Preprocessor(float(document["missing_horsepower"]), means, scales)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        if isinstance(error, BadPreprocessor):
            raise
        raise BadPreprocessor("preprocessor.json is damaged") from error
    if not all(map(math.isfinite, [preprocessor.missing_horsepower, *means, *scales])) or min(scales) <= 0:
        raise BadPreprocessor("preprocessor.json holds numbers that cannot be")
    return preprocessor
