"""The cost of a run that ended: for its mail, as a metric, and for the estimates of later runs."""

import os
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from common.uploads import REFUSED, BadUpload
from common.workload import find_workloads
from costs.history import PastRun
from costs.remembering import HistoryBusy, remember
from costs.run_costs import if_readable
from runs.endings import Ending
from runs.workload_choice import choose
from shared.telemetry import describe_error, logger, measure_apart

# These end before any job starts, unless it was a job that refused the upload.
_WITHOUT_JOBS = {"already_processed", "TooManyRuns", "RunTooExpensive", REFUSED}
# All steps that were to be done are done.
_COMPLETE = {"approved", "rejected", "expired", "ModelQualityTooLow"}


def with_cost(ending: Ending) -> Ending:
    """The end with what the run's jobs cost; unchanged if it had none, or SageMaker does not answer."""
    if not ending.run_id or (ending.outcome in _WITHOUT_JOBS and not ending.job):
        return ending
    cost = if_readable(ending.run_id)
    return replace(ending, cost=cost) if cost and (cost.steps or cost.unknown) else ending


def record_cost(ending: Ending) -> None:
    """Remember what the run cost, and emit it as `CostUSD`, by workload and step.

    A run that is redriven ends more than once. Each end emits what came since the one before. If the record
    cannot be written, the cost is missing there; the mail is sent all the same.
    """
    if ending.cost is None:
        return
    workload = str(ending.output.get("workload") or _chosen(ending.upload))
    run = PastRun(ending.run_id, ending.bytes, ending.cost.steps, complete=ending.outcome in _COMPLETE)
    try:
        before = remember(workload, run)
    except (ClientError, BotoCoreError, HistoryBusy) as error:
        logger.warning("cost not recorded", run_id=ending.run_id, **describe_error(error))
        return
    for step, usd in ending.cost.steps.items():
        if (new := round(usd - before.get(step, 0.0), 6)) > 0:
            measure_apart("CostUSD", new, Workload=workload, Step=step)


def _chosen(key: str) -> str:
    """The workload of an upload with this key, as the state machine chooses it."""
    try:
        return choose(key, find_workloads(), os.environ["DEFAULT_WORKLOAD"]).workload.name
    except BadUpload:
        return "unknown"
