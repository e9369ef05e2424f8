"""Decides when to stop a trial of a tuning job early."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

# A median of one or two values means little. (SageMaker does not document its minimum.)
MINIMUM_FINISHED = 3


def should_stop_early(trial: Sequence[float], finished: Sequence[Sequence[float]]) -> bool:
    """Whether to stop a running trial by the median rule of SageMaker's developer guide ("Stop Training Jobs
    Early"): stop when the objective is worse than the median of the running averages of the
    objective of earlier training jobs up to the same iteration.

    ``trial`` and each of ``finished`` hold the objective after every iteration, to be minimised (give
    negatives of one to maximise). ``finished`` are the trials that ran to their end; of a trial with
    fewer iterations, all count.
    """
    so_far = [earlier[: len(trial)] for earlier in finished if earlier]
    if not trial or len(so_far) < MINIMUM_FINISHED:
        return False
    return trial[-1] > statistics.median(statistics.fmean(values) for values in so_far)
