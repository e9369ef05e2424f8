"""The search space of a tuning job: its ranges, and its points as values and as numbers from 0 to 1."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

Kind = Literal["continuous", "integer", "categorical"]
Scaling = Literal["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"]
Value = float | int | str
Point = dict[str, Value]

# SageMaker does not document how "Auto" chooses. Here it is logarithmic from two decades on.
AUTO_LOGARITHMIC_RATIO = 100


@dataclass(frozen=True)
class Range:
    """One hyperparameter: ``values`` if it is categorical, otherwise ``minimum`` and ``maximum`` (both
    inclusive)."""

    name: str
    kind: Kind
    minimum: float = 0.0
    maximum: float = 0.0
    scaling: Scaling = "Auto"
    values: tuple[str, ...] = ()

    @property
    def size(self) -> float:
        """The number of its values: infinite for a continuous range of more than one value."""
        if self.kind == "categorical":
            return len(self.values)
        if self.kind == "integer":
            return int(self.maximum - self.minimum) + 1
        return math.inf if self.maximum > self.minimum else 1

    @property
    def width(self) -> int:
        """The number of its numbers in ``Space.encode``: one, or one for each category."""
        return len(self.values) if self.kind == "categorical" else 1

    def at(self, unit: float) -> Value:
        """The value at ``unit`` (0 to 1) on the range's scale."""
        if self.kind == "categorical":
            return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]
        low, high = self._scaled_ends()
        value = self._unscale(low + unit * (high - low))
        if self.kind == "integer":
            return int(min(max(round(value), self.minimum), self.maximum))
        return min(max(value, self.minimum), self.maximum)

    def encode(self, value: Value) -> list[float]:
        """The numbers from 0 to 1 that represent a value."""
        if self.kind == "categorical":
            return [1.0 if value == other else 0.0 for other in self.values]
        low, high = self._scaled_ends()
        return [(self._scale(float(value)) - low) / (high - low) if high > low else 0.0]

    def all_values(self) -> Sequence[Value]:
        """Every value of a finite range."""
        if self.kind == "categorical":
            return self.values
        return range(int(self.minimum), int(self.maximum) + 1) if self.kind == "integer" else [self.minimum]

    def _scaled_ends(self) -> tuple[float, float]:
        # Each integer covers the half unit on both sides, so that the ends are as likely as the others.
        margin = 0.5 if self.kind == "integer" else 0.0
        return self._scale(self.minimum - margin), self._scale(self.maximum + margin)

    def _scale(self, value: float) -> float:
        if self._scaling() == "Logarithmic":
            return math.log(value)
        return -math.log1p(-value) if self._scaling() == "ReverseLogarithmic" else value

    def _unscale(self, scaled: float) -> float:
        if self._scaling() == "Logarithmic":
            return math.exp(scaled)
        return -math.expm1(-scaled) if self._scaling() == "ReverseLogarithmic" else scaled

    def _scaling(self) -> Scaling:
        if self.scaling != "Auto":
            return self.scaling
        wide = self.minimum > 0 and self.maximum / self.minimum >= AUTO_LOGARITHMIC_RATIO
        return "Logarithmic" if wide else "Linear"


@dataclass(frozen=True)
class Observation:
    """A finished trial. ``objective`` is minimised; to maximise one, use its negative."""

    values: Mapping[str, Value]
    objective: float


@dataclass(frozen=True)
class Space:
    """All ranges of a tuning job together."""

    ranges: tuple[Range, ...]

    @property
    def size(self) -> float:
        return math.prod(each.size for each in self.ranges)

    def at(self, units: Sequence[float]) -> Point:
        """The point at these numbers from 0 to 1, one for each range."""
        return {each.name: each.at(unit) for each, unit in zip(self.ranges, units, strict=True)}

    def encode(self, point: Mapping[str, Value]) -> list[float]:
        """The point as numbers from 0 to 1 with useful distances: categories are equally far apart."""
        return [number for each in self.ranges for number in each.encode(point[each.name])]

    def key(self, point: Mapping[str, Value]) -> tuple[Value, ...]:
        """Equal for equal points."""
        return tuple(point[each.name] for each in self.ranges)

    def points(self) -> Iterator[Point]:
        """Every point of a finite space."""
        for values in itertools.product(*(each.all_values() for each in self.ranges)):
            yield dict(zip((each.name for each in self.ranges), values, strict=True))


_KINDS: Mapping[str, Kind] = {
    "ContinuousParameterRanges": "continuous",
    "IntegerParameterRanges": "integer",
    "CategoricalParameterRanges": "categorical",
}


def read_ranges(parameter_ranges: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[Range, ...]:
    """The ranges of a request's ``ParameterRanges`` (``ContinuousParameterRanges``, ...; bounds are strings).

    Raises ValueError with a message for the caller of the API for a bound that is not a number, a
    minimum above the maximum, a scaling that does not fit the bounds, or a duplicate name.
    """
    ranges = [
        _read_range(kind, given)
        for member, kind in _KINDS.items()
        for given in parameter_ranges.get(member, ())
    ]
    names = [each.name for each in ranges]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"The hyperparameter {name} has more than one range")
    return tuple(ranges)


def _read_range(kind: Kind, given: Mapping[str, Any]) -> Range:
    name = str(given["Name"])
    if kind == "categorical":
        return Range(name, kind, values=tuple(dict.fromkeys(given["Values"])))
    low, high = (_read_bound(name, kind, given[member]) for member in ("MinValue", "MaxValue"))
    scaling = cast(Scaling, given.get("ScalingType", "Auto"))
    if low > high:
        raise ValueError(
            f"The range of {name} has MinValue {given['MinValue']} above MaxValue {given['MaxValue']}"
        )
    if scaling == "Logarithmic" and low <= 0:
        raise ValueError(f"The range of {name} needs a MinValue above 0 for the scaling type Logarithmic")
    if scaling == "ReverseLogarithmic" and (kind != "continuous" or low < 0 or high >= 1):
        raise ValueError(
            f"The range of {name} is not continuous within 0 <= x < 1, as ReverseLogarithmic needs"
        )
    return Range(name, kind, low, high, scaling)


def _read_bound(name: str, kind: Kind, text: str) -> float:
    try:
        bound = float(text) if kind == "continuous" else int(text)
    except ValueError:
        raise ValueError(f'The range of {name} has the bound "{text}", which is not {kind}') from None
    if not math.isfinite(bound):
        raise ValueError(f'The range of {name} has the bound "{text}", which is not finite')
    return bound


def format_value(value: Value) -> str:
    """A value as a training job's hyperparameter: the shortest text that parses to the same value."""
    return value if isinstance(value, str) else repr(value)
