"""Remembers what a run cost, for the estimates of later runs of its workload (`history.py`)."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from boto3.dynamodb.conditions import Attr

from costs.history import LAST_RUNS, PastRun, key_of, read_runs
from shared.aws import table, write_if

_ATTEMPTS = 5


class HistoryBusy(Exception):
    """Too many runs of a workload end at the same moment. The text is the workload."""


def remember(workload: str, run: PastRun) -> Mapping[str, float]:
    """Add the run, or replace its entry if it was redriven; returns what that said before, by step.

    Raises HistoryBusy.
    """
    for _ in range(_ATTEMPTS):
        runs, text = read_runs(workload)
        before = next((each.steps for each in runs if each.run_id == run.run_id), {})
        kept = [each for each in runs if each.run_id != run.run_id]
        if _write(workload, [*kept, run][-LAST_RUNS:], text):
            return before
    raise HistoryBusy(workload)


def _write(workload: str, runs: Sequence[PastRun], read: str | None) -> bool:
    unchanged = Attr("pk").not_exists() if read is None else Attr("runs").eq(read)
    item = {"pk": key_of(workload), "runs": json.dumps([asdict(run) for run in runs])}
    return write_if(unchanged, table(os.environ["TABLE_NAME"]).put_item, Item=item)
