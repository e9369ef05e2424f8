"""From a car to the numbers that the model sees, the same way in training and in serving.

Plain numbers in JSON and never a pickle: readable by every version, and nothing in it is executed. Standard
library only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median, pstdev

from auto_mpg.car import ORIGINS, Car

NUMBERS = ("cylinders", "displacement", "horsepower", "weight", "acceleration", "model_year")
FEATURES = (*NUMBERS, *(f"origin_{origin}" for origin in ORIGINS))

_FORMAT = 1


class BadPreprocessor(ValueError):
    """The JSON is not a preprocessor that this code understands."""


@dataclass(frozen=True)
class Preprocessor:
    """Fills in missing horsepower, standardises the numbers and gives each origin a column of its own.

    `means` and `scales` are in the order of NUMBERS.
    """

    missing_horsepower: float
    means: tuple[float, ...]
    scales: tuple[float, ...]

    def features(self, car: Car) -> list[float]:
        """The features of one car, in the order of FEATURES."""
        numbers = _numbers(car, self.missing_horsepower)
        standardised = [(x - m) / s for x, m, s in zip(numbers, self.means, self.scales, strict=True)]
        return standardised + [float(car.origin == code) for code in ORIGINS.values()]


def fit(cars: Sequence[Car]) -> Preprocessor:
    """Learn the median horsepower, the means and the deviations. At least one car needs a horsepower."""
    horsepower = median(car.horsepower for car in cars if car.horsepower is not None)
    columns = list(zip(*(_numbers(car, horsepower) for car in cars), strict=True))
    return Preprocessor(horsepower, tuple(map(fmean, columns)), tuple(map(_scale, columns)))


def to_json(preprocessor: Preprocessor) -> str:
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
    """Raises BadPreprocessor unless the text is what `to_json` writes."""
    try:
        document = json.loads(text)
        if document["format"] != _FORMAT or document["features"] != list(FEATURES):
            raise BadPreprocessor("preprocessor.json describes other features than this code makes")
        numbers = [document["numbers"][name] for name in NUMBERS]
        means = tuple(float(number["mean"]) for number in numbers)
        scales = tuple(float(number["scale"]) for number in numbers)
        preprocessor = Preprocessor(float(document["missing_horsepower"]), means, scales)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, BadPreprocessor):
            raise
        raise BadPreprocessor("preprocessor.json is damaged") from error
    if not all(map(math.isfinite, [preprocessor.missing_horsepower, *means, *scales])) or min(scales) <= 0:
        raise BadPreprocessor("preprocessor.json holds numbers that cannot be")
    return preprocessor


def _numbers(car: Car, missing_horsepower: float) -> list[float]:
    horsepower = missing_horsepower if car.horsepower is None else car.horsepower
    return [
        float(car.cylinders),
        car.displacement,
        horsepower,
        car.weight,
        car.acceleration,
        float(car.model_year),
    ]


def _scale(column: Sequence[float]) -> float:
    """A column that hardly varies is not scaled: dividing by almost nothing would overflow a float32."""
    deviation = pstdev(column)
    return deviation if deviation > 1e-6 else 1.0
