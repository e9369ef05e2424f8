"""When a trial of a tuning job is not worth finishing."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

# A median of one or two says little. (SageMaker's own minimum is not documented.)
MINIMUM_FINISHED = 3


def should_stop_early(trial: Sequence[float], finished: Sequence[Sequence[float]]) -> bool:
    """Whether to stop a running trial: the median rule, of which SageMaker's developer guide ("Stop Training
    Jobs Early") says: stop when the objective is worse than the median of the running averages of the
    objective of earlier training jobs up to the same iteration.

    ``trial`` and each of ``finished`` hold the objective after every iteration, to be minimised (give
    negatives of one to maximise). ``finished`` are the trials that ran to their end; one with fewer
    iterations counts with all it has.
    """
    so_far = [earlier[: len(trial)] for earlier in finished if earlier]
    if not trial or len(so_far) < MINIMUM_FINISHED:
        return False
    return trial[-1] > statistics.median(statistics.fmean(values) for values in so_far)
