"""What a model sees and answers, as columns that can be compared with those of another time.

A workload without `monitoring.py` is not watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
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


USUAL = Sensitivity()


def is_watched(workload: Workload) -> bool:
    """Whether the workload says what to watch."""
    return find_spec(f"{workload.name}.monitoring") is not None


def answerer(workload: Workload, folder: Path) -> Callable[[str], str]:
    """The model in a folder, as a function from a request to its answer. Raises UnusableModel."""
    inference, kinds = workload.module("inference"), workload.settings["model"]
    model = inference.model_fn(str(folder))

    def answer(request: str) -> str:
        data = inference.input_fn(request, kinds["content_type"])
        body, _ = inference.output_fn(inference.predict_fn(data, model), kinds["accept"])
        return str(body)

    return answer


def seen_by(workload: Workload, folder: Path, prepared: Path) -> Columns:
    """Features and predictions of a sample of the upload, by the model in a folder. Raises UnusableModel."""
    monitoring, answer = workload.module("monitoring"), answerer(workload, folder)

    def parts() -> Iterator[Columns]:
        for request, _ in monitoring.sample(prepared):
            yield {**monitoring.features(request, folder), **monitoring.predictions(answer(request))}

    return concatenated(parts())
