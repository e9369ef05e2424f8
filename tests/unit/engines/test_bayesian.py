from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping

import pytest
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from local.sagemaker.engines.bayesian import BayesianSearch, RandomSearch
from local.sagemaker.engines.search_space import Observation, Point, Range, Value

Strategy = type[BayesianSearch] | type[RandomSearch]
PENALTIES = (
    Range("alpha", "continuous", 0.01, 10, "Logarithmic"),
    Range("lambda", "continuous", 0.01, 10, "Logarithmic"),
)
MIXED = (
    Range("eta", "continuous", 0.1, 0.5),
    Range("max_depth", "integer", 2, 9),
    Range("booster", "categorical", values=("gbtree", "gblinear", "dart")),
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As in the warm process: several are slower on matrices this small."""
    with threadpool_limits(1):
        yield


def valley(point: Mapping[str, Value]) -> float:
    """6 at alpha = 2, lambda = 0.25, with a second, shallower bottom."""
    x, y = math.log10(float(point["alpha"]) / 2), math.log10(float(point["lambda"]) / 0.25)
    return 6 + x**2 + 0.7 * y**2 + 0.3 * (1 - math.cos(4 * x)) * (1 + abs(y))


def mixture(point: Mapping[str, Value]) -> float:
    """0 at eta = 0.3, depth 5 and dart."""
    booster = {"gbtree": 0.5, "gblinear": 2.0, "dart": 0.0}[str(point["booster"])]
    return (float(point["eta"]) - 0.3) ** 2 * 50 + abs(int(point["max_depth"]) - 5) * 0.2 + booster


def tune(
    search: BayesianSearch | RandomSearch, objective: object, trials: int, parallel: int = 3
) -> list[Observation]:
    """Acts as a tuning job: up to ``parallel`` trials run, and the oldest finishes first."""
    assert callable(objective)
    finished: list[Observation] = []
    running: list[Point] = []
    while len(finished) < trials:
        while len(running) < parallel and len(finished) + len(running) < trials:
            point = search.suggest(finished, running)
            assert point is not None
            running.append(point)
        done = running.pop(0)
        finished.append(Observation(done, objective(done)))
    return finished


def best(strategy: Strategy, objective: object, ranges: tuple[Range, ...], trials: int) -> list[float]:
    """The least objective of each of four tuning jobs."""
    return [
        min(trial.objective for trial in tune(strategy(ranges, seed), objective, trials)) for seed in range(4)
    ]


def test_bayesian_search_finds_the_bottom_that_random_search_misses() -> None:
    bayesian = best(BayesianSearch, valley, PENALTIES, 20)
    at_random = best(RandomSearch, valley, PENALTIES, 20)

    assert max(bayesian) < 6.02
    assert statistics.fmean(at_random) > 6.05


def test_bayesian_search_copes_with_integers_and_categories() -> None:
    bayesian = best(BayesianSearch, mixture, MIXED, 20)
    at_random = best(RandomSearch, mixture, MIXED, 20)

    assert statistics.fmean(bayesian) < 0.1
    assert statistics.fmean(bayesian) < statistics.fmean(at_random) / 2


@pytest.mark.parametrize("strategy", [BayesianSearch, RandomSearch])
def test_the_same_history_and_seed_give_the_same_suggestion(strategy: Strategy) -> None:
    assert tune(strategy(MIXED, 3), mixture, 8) == tune(strategy(MIXED, 3), mixture, 8)
    assert strategy(MIXED, 3).suggest([], []) != strategy(MIXED, 4).suggest([], [])


@pytest.mark.parametrize("strategy", [BayesianSearch, RandomSearch])
def test_every_point_of_a_finite_space_comes_once_and_then_none(strategy: Strategy) -> None:
    ranges = (Range("depth", "integer", 1, 4), Range("booster", "categorical", values=("gbtree", "dart")))
    search = strategy(ranges, 1)
    finished = tune(search, lambda point: float(point["depth"]), 8, parallel=2)

    assert len({(trial.values["depth"], trial.values["booster"]) for trial in finished}) == 8
    assert search.suggest(finished, []) is None


@pytest.mark.parametrize("strategy", [BayesianSearch, RandomSearch])
def test_suggestions_have_the_types_and_bounds_of_their_ranges(strategy: Strategy) -> None:
    for trial in tune(strategy(MIXED, 5), mixture, 12):
        eta, depth, booster = trial.values["eta"], trial.values["max_depth"], trial.values["booster"]
        assert isinstance(eta, float)
        assert 0.1 <= eta <= 0.5
        assert isinstance(depth, int)
        assert 2 <= depth <= 9
        assert booster in MIXED[2].values


def test_parallel_trials_differ() -> None:
    search = BayesianSearch(PENALTIES, 2)
    finished = tune(search, valley, 5, parallel=1)
    running: list[Point] = []
    for _ in range(4):
        point = search.suggest(finished, running)
        assert point is not None
        running.append(point)

    logs = [(math.log10(float(point["alpha"])), math.log10(float(point["lambda"]))) for point in running]
    nearest = min(math.dist(a, b) for index, a in enumerate(logs) for b in logs[:index])
    assert nearest > 0.05


def test_failed_or_equal_trials_do_no_harm() -> None:
    search = BayesianSearch(PENALTIES, 1)
    alike = [Observation({"alpha": 0.01 * n, "lambda": 1.0}, 5.0) for n in range(1, 6)]
    failed = [Observation({"alpha": 2.0 + n, "lambda": 1.0}, math.inf) for n in range(3)]

    assert search.suggest([*alike, *failed], []) is not None
    assert search.suggest(failed, []) is not None


def test_a_long_history_is_thinned() -> None:
    finished = [
        Observation({"alpha": 0.01 + 0.01 * n, "lambda": 0.1 + 0.01 * (n * 37 % 900)}, float(n % 17))
        for n in range(400)
    ]

    assert BayesianSearch(PENALTIES, 1).suggest(finished, []) is not None
