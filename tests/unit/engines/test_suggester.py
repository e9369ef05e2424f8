from __future__ import annotations

import math
from typing import Literal

import pytest

from local.sagemaker.engines.bayesian import BayesianSearch, RandomSearch
from local.sagemaker.engines.processes import WarmWorkers
from local.sagemaker.engines.search_space import Observation, Point, Range
from local.sagemaker.engines.suggester import Suggester, SuggesterFailed

pytestmark = pytest.mark.enable_socket

RANGES = (
    Range("alpha", "continuous", 0.01, 10, "Logarithmic"),
    Range("booster", "categorical", values=("gbtree", "dart")),
)
FINISHED = [Observation({"alpha": 0.1 * n, "booster": "dart"}, 1.0 / n) for n in range(1, 6)]


@pytest.mark.parametrize("strategy", ["Bayesian", "Random"])
def test_the_process_suggests_what_the_search_itself_would(
    workers: WarmWorkers, strategy: Literal["Bayesian", "Random"]
) -> None:
    suggester = Suggester(workers, RANGES, strategy=strategy, seed=7)
    search = (BayesianSearch if strategy == "Bayesian" else RandomSearch)(RANGES, 7)
    running: list[Point] = [{"alpha": 3.0, "booster": "gbtree"}]
    failed = [Observation({"alpha": 1.0, "booster": "gbtree"}, math.inf)]

    assert suggester.suggest([], []) == search.suggest([], [])
    suggested = suggester.suggest(FINISHED + failed, running)
    expected = search.suggest(FINISHED + failed, running)
    assert suggested == pytest.approx(expected) or suggested == expected
    suggester.close()


def test_an_exhausted_space_gives_no_suggestion(workers: WarmWorkers) -> None:
    suggester = Suggester(workers, [Range("depth", "integer", 3, 3)], seed=1)

    assert suggester.suggest([], []) == {"depth": 3}
    assert suggester.suggest([], [{"depth": 3}]) is None
    suggester.close()


def test_a_failed_search_gives_the_reason(workers: WarmWorkers) -> None:
    suggester = Suggester(workers, RANGES)

    with pytest.raises(SuggesterFailed, match="KeyError: 'booster'"):
        suggester.suggest([Observation({"alpha": 1.0}, 1.0)], [])
    with pytest.raises(SuggesterFailed):
        suggester.suggest([], [])


def test_a_closed_suggester_suggests_nothing(workers: WarmWorkers) -> None:
    suggester = Suggester(workers, RANGES)
    suggester.close()
    suggester.close()

    with pytest.raises(SuggesterFailed):
        suggester.suggest([], [])
