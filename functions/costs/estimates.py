"""What a run is likely to cost, before it starts, from the workload's last runs.

For each step, the run whose upload had the most similar size counts (the newest of several). A larger upload
costs in proportion to its bytes; a smaller one as much, because starting an instance takes the same time.
Reuse is left out: the estimate is for a run that does every step. Without an earlier run there is none.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from costs.history import PastRun, last_runs
from costs.words import usd
from shared.telemetry import PublicError, describe_error, logger


class RunTooExpensive(PublicError):
    """The estimate is above MaxRunCostUSD. The text is for the person who uploaded the file."""


@dataclass(frozen=True)
class Estimate:
    """USD in all and by step, and the runs that it comes from."""

    total: float
    steps: Mapping[str, float]
    runs: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """The form in a function's answer."""
        return {**asdict(self), "runs": list(self.runs)}


def check_cost(workload: str, size: int) -> Estimate | None:
    """The estimate for an upload of so many bytes; None if there is none. Raises RunTooExpensive.

    Without a limit, nothing fails if the table cannot be read; with one, the caller has to try again.
    """
    limit = float(os.environ.get("MAX_RUN_COST_USD") or 0)
    try:
        found = estimate(last_runs(workload), size)
    except (ClientError, BotoCoreError) as error:
        if limit:
            raise
        logger.warning("no estimate of the cost", workload=workload, **describe_error(error))
        return None
    if limit and found and found.total > limit:
        raise RunTooExpensive(
            f"The run would cost about {usd(found.total)}, more than the {usd(limit)} that MaxRunCostUSD "
            f"allows. The estimate comes from run {found.runs[0]}, in proportion to the bytes of the upload."
        )
    return found


def estimate(runs: Sequence[PastRun], size: int) -> Estimate | None:
    """The estimate from the complete ones of these runs, oldest first; None if none has a cost."""
    runs = [run for run in runs if run.complete]
    steps: dict[str, float] = {}
    sources: dict[str, float] = {}
    for step in dict.fromkeys(step for run in runs for step in run.steps):
        candidates = [run for run in reversed(runs) if step in run.steps]
        nearest = min(candidates, key=lambda run: abs(_ratio(size, run.bytes)))
        steps[step] = round(nearest.steps[step] * max(1.0, math.exp(_ratio(size, nearest.bytes))), 6)
        sources[nearest.run_id] = steps[step] + sources.get(nearest.run_id, 0.0)
    if not steps:
        return None
    return Estimate(round(sum(steps.values()), 6), steps, sorted(sources, key=lambda run: -sources[run]))


def _ratio(size: int, other: int) -> float:
    """The logarithm of how many times larger the first is."""
    return math.log(max(size, 1) / max(other, 1))
