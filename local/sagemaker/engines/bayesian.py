"""Bayesian and random search of a tuning job. Imports scikit-learn: run it in a warm process, see
``suggester``.

``("-m", "local.sagemaker.engines.bayesian", "<settings>")`` answers each line of JSON on standard input (a
``Request`` of ``suggester``) with one line on standard output: ``suggestion `` and the values as JSON, or
``suggestion null``.
"""

from __future__ import annotations

import json
import math
import random
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm, qmc
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from local.sagemaker.engines.search_space import Observation, Point, Range, Space, Value

Floats = NDArray[np.float64]
Key = tuple[Value, ...]

MOST_POINTS_LISTED = 10_000
# A fit takes time cubic in the number of observations, and old, bad ones contribute little.
MOST_OBSERVATIONS = 150
# More steps find more digits of the kernel's parameters, but no better points.
FIT_STEPS = 5
SOBOL_CANDIDATES = 9  # a power of 2
NEIGHBOURS = 48
# Standard deviations of the steps around the best points, relative to a range's width.
STEPS = (0.2, 0.05, 0.01)


class Search(Protocol):
    """Suggests points of a space. The same history always gives the same suggestion."""

    def suggest(
        self, finished: Sequence[Observation], running: Sequence[Mapping[str, Value]]
    ) -> Point | None:
        """A point that is in neither ``finished`` nor ``running``; None if a finite space has no more."""


class RandomSearch:
    """Draws points uniformly on each range's scale."""

    def __init__(self, ranges: Sequence[Range], seed: int) -> None:
        self._space = Space(tuple(ranges))
        self._seed = seed

    def suggest(
        self, finished: Sequence[Observation], running: Sequence[Mapping[str, Value]]
    ) -> Point | None:
        seen = keys_of(self._space, finished, running)
        draw = random.Random(f"{self._seed} {len(finished) + len(running)}")  # noqa: S311 - hyperparameters, no secret
        drawn = ([draw.random() for _ in self._space.ranges] for _ in range(100))
        return first_new(self._space, map(self._space.at, drawn), seen)


class BayesianSearch:
    """A Gaussian process over the finished trials, and the point with the greatest expected improvement on
    them.

    The first points are a Sobol sequence. A running trial counts as if its result were the mean that the
    process predicts for it ("kriging believer": Ginsbourger, Le Riche, Carraro 2010), which
    spreads parallel trials.
    """

    def __init__(self, ranges: Sequence[Range], seed: int) -> None:
        self._space = Space(tuple(ranges))
        self._seed = seed
        self._first_points = max(3, len(self._space.ranges) + 1)

    def suggest(
        self, finished: Sequence[Observation], running: Sequence[Mapping[str, Value]]
    ) -> Point | None:
        count = len(finished) + len(running)
        seen = keys_of(self._space, finished, running)
        known = [trial for trial in finished if math.isfinite(trial.objective)]
        if count >= self._first_points and len(known) >= 2:
            point = self._most_promising(
                most_telling(known), running, seen, np.random.default_rng([self._seed, count])
            )
            if point is not None:
                return point
        return first_new(self._space, self._sobol_points(count), seen)

    def _sobol_points(self, skipped: int) -> Iterable[Point]:
        sobol = qmc.Sobol(len(self._space.ranges), rng=self._seed)
        if skipped:
            sobol.fast_forward(skipped)
        return (self._space.at(sobol.random()[0]) for _ in range(100))

    def _most_promising(
        self,
        known: Sequence[Observation],
        running: Sequence[Mapping[str, Value]],
        seen: set[Key],
        rng: np.random.Generator,
    ) -> Point | None:
        model = Model(self._numbers([trial.values for trial in known]), [trial.objective for trial in known])
        if running:
            model.believe(self._numbers(running))
        best = sorted(known, key=lambda trial: trial.objective)[:3]
        units = np.vstack(
            [qmc.Sobol(len(self._space.ranges), rng=rng).random_base2(SOBOL_CANDIDATES)]
            + [self._around(self._units(trial.values), rng) for trial in best]
        )
        improvement = self._improvement(model, units)
        top = units[np.argsort(improvement)[-3:]]
        near = np.vstack([self._around(each, rng) for each in top])
        units = np.vstack([units, near])
        improvement = np.concatenate([improvement, self._improvement(model, near)])
        order = np.argsort(-improvement, kind="stable")
        points = (self._space.at(units[index]) for index in order)
        return next((point for point in points if self._space.key(point) not in seen), None)

    def _numbers(self, points: Sequence[Mapping[str, Value]]) -> Floats:
        return np.array([self._space.encode(point) for point in points])

    def _improvement(self, model: Model, units: Floats) -> Floats:
        if all(each.size == math.inf for each in self._space.ranges):
            return model.expected_improvement(units)
        # By way of the points, so that the model sees integers and categories, and not the values
        # between.
        return model.expected_improvement(self._numbers([self._space.at(row) for row in units]))

    def _units(self, point: Mapping[str, Value]) -> Floats:
        """Coordinates at which ``Space.at`` finds the point; a category's is the middle of its interval."""
        units = []
        for each in self._space.ranges:
            numbers = each.encode(point[each.name])
            units.append(
                (numbers.index(1.0) + 0.5) / each.width if each.kind == "categorical" else numbers[0]
            )
        return np.array(units)

    def _around(self, centre: Floats, rng: np.random.Generator) -> Floats:
        steps = np.repeat(STEPS, NEIGHBOURS // len(STEPS))[:, None]
        moved = centre + steps * rng.standard_normal((len(steps), len(centre)))
        categorical = np.array([each.kind == "categorical" for each in self._space.ranges])
        redrawn = categorical & (rng.random(moved.shape) < 0.2)
        stays = np.where(categorical, centre, moved)
        return np.clip(np.where(redrawn, rng.random(moved.shape), stays), 0.0, 1.0)


class Model:
    """A Gaussian process with a Matern 5/2 kernel over points of numbers from 0 to 1."""

    def __init__(self, points: Floats, objectives: Sequence[float]) -> None:
        values = np.array(objectives)
        self._points = points
        self._values = (values - values.mean()) / (values.std() or 1.0)
        kernel = ConstantKernel(1.0, (0.05, 20.0)) * Matern(
            np.full(points.shape[1], 0.5), (0.05, 5.0), nu=2.5
        ) + WhiteKernel(1e-3, (1e-6, 0.1))
        self._process = GaussianProcessRegressor(kernel, optimizer=fit_kernel)
        with warnings.catch_warnings():
            # A parameter without influence drives its length scale to a bound, which is no problem.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._process.fit(points, self._values)

    def believe(self, points: Floats) -> None:
        """Treat the predicted values of these points as observed."""
        kernel = self._process.kernel_
        values = np.concatenate([self._values, self._process.predict(points)])
        self._process = GaussianProcessRegressor(kernel, optimizer=None)
        self._process.fit(np.vstack([self._points, points]), values)

    def expected_improvement(self, points: Floats) -> Floats:
        """Jones, Schonlau, Welch 1998, equation 15, below the least observed value."""
        mean, deviation = self._process.predict(points, return_std=True)
        deviation = np.maximum(deviation, 1e-9)
        gain = self._values.min() - mean
        improvement: Floats = gain * norm.cdf(gain / deviation) + deviation * norm.pdf(gain / deviation)
        return improvement


def fit_kernel(
    loss: Callable[[Floats], tuple[float, Floats]], start: Floats, bounds: Floats
) -> tuple[Floats, float]:
    """The kernel's parameters with nearly the least loss, and that loss."""
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B", options={"maxiter": FIT_STEPS})
    return found.x, found.fun


def most_telling(known: Sequence[Observation]) -> Sequence[Observation]:
    if len(known) <= MOST_OBSERVATIONS:
        return known
    half = MOST_OBSERVATIONS // 2
    best = sorted(range(len(known)), key=lambda index: known[index].objective)[:half]
    return [known[index] for index in sorted({*best, *range(len(known) - half, len(known))})]


def keys_of(
    space: Space, finished: Sequence[Observation], running: Sequence[Mapping[str, Value]]
) -> set[Key]:
    return {space.key(point) for point in [*(trial.values for trial in finished), *running]}


def first_new(space: Space, drawn: Iterable[Point], seen: set[Key]) -> Point | None:
    """The first of the drawn points that is new; otherwise, in a finite space, any new point."""
    for point in drawn:
        if space.key(point) not in seen:
            return point
    if space.size > MOST_POINTS_LISTED:
        return None
    return next((point for point in space.points() if space.key(point) not in seen), None)


def main(settings: Mapping[str, Any]) -> None:
    """Answer requests until standard input ends."""
    ranges = [Range(**each | {"values": tuple(each["values"])}) for each in settings["ranges"]]
    strategy = BayesianSearch if settings["strategy"] == "Bayesian" else RandomSearch
    search: Search = strategy(ranges, settings["seed"])
    for line in sys.stdin:
        request = json.loads(line)
        finished = [Observation(**each) for each in request["finished"]]
        print("suggestion", json.dumps(search.suggest(finished, request["running"])))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
