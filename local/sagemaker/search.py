"""The searches that suggest a tuning job's next trial."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from typing import Protocol

from local.sagemaker.engines.processes import WarmWorkers
from local.sagemaker.engines.search_space import Observation, Value, read_ranges
from local.sagemaker.engines.suggester import Suggester
from local.sagemaker.kinds import Json


class Search(Protocol):
    """Suggests trials until there are no more."""

    def suggest(
        self, finished: list[Observation], running: list[dict[str, Value]]
    ) -> dict[str, Value] | None: ...

    def close(self) -> None: ...


class GridSearch:
    """Every combination of categorical ranges, once."""

    def __init__(self, ranges: list[Json]) -> None:
        names = [each["Name"] for each in ranges]
        self._rest: Iterator[dict[str, Value]] = (
            dict(zip(names, values, strict=True))
            for values in itertools.product(*(each["Values"] for each in ranges))
        )

    def suggest(
        self, finished: list[Observation], running: list[dict[str, Value]]
    ) -> dict[str, Value] | None:
        """The next combination, None after the last."""
        return next(self._rest, None)

    def close(self) -> None:
        """Nothing to close."""


def make_search(name: str, config: Json, workers: WarmWorkers) -> Search:
    """The search for a tuning job's configuration."""
    ranges = config["ParameterRanges"]
    if config["Strategy"] == "Grid":
        return GridSearch(ranges["CategoricalParameterRanges"])
    # The same name always gives the same search, so that a run can be repeated.
    seed = config.get("RandomSeed", zlib.crc32(name.encode()))
    return Suggester(workers, read_ranges(ranges), strategy=config["Strategy"], seed=seed)
