"""What a model sees and answers, as columns that can be compared with those of another time.

A workload without `monitoring.py` is not watched.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.columns import Columns, concatenated
from common.drift_tests import DISTANCE, SIGNIFICANCE
from common.workload import Workload

NOT_WATCHED = "The workload has no monitoring.py, so nobody watches its data and predictions."


@dataclass(frozen=True)
class Sensitivity:
    """The probability of any false alarm in one comparison, and the smallest distance that counts."""

    significance: float = SIGNIFICANCE
    distance: float = DISTANCE

    @classmethod
    def of(cls, arguments: Namespace) -> Sensitivity:
        """What `add_sensitivity` lets a job be told."""
        return cls(arguments.drift_significance, arguments.drift_distance)


USUAL = Sensitivity()


def add_sensitivity(parser: ArgumentParser) -> None:
    """Let a job be told how sensitive it is; `Sensitivity.of` reads it."""
    parser.add_argument(
        "--drift-significance", type=float, default=SIGNIFICANCE, help="probability of any false alarm"
    )
    parser.add_argument(
        "--drift-distance", type=float, default=DISTANCE, help="smallest distance that counts as a drift"
    )


def seen_by(workload: Workload, folder: Path, prepared: Path) -> Columns:
    """Features and predictions of a sample of the upload, by the model in a folder. Raises UnusableModel."""
    monitoring, answer = workload.module("monitoring"), workload.answerer(folder)

    def parts() -> Iterator[Columns]:
        for request, _ in monitoring.sample(prepared):
            yield {**monitoring.features(request, folder), **monitoring.predictions(answer(request))}

    return concatenated(parts())
