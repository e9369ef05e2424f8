"""The costs of a workload's last runs: one item `cost#<workload>` of the table.

    runs   JSON: a list, oldest first, of {run_id, bytes, steps, complete}: USD by step of each run that ended

A run that is redriven and ends again replaces its entry.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from boto3.dynamodb.conditions import Attr

from shared.aws import table, write_if

LAST_RUNS = 10
_ATTEMPTS = 5


@dataclass(frozen=True)
class PastRun:
    """What one run cost, by step, for an upload of so many bytes; `complete` if no step failed."""

    run_id: str
    bytes: int
    steps: Mapping[str, float]
    complete: bool = True


class HistoryBusy(Exception):
    """Too many runs of a workload end at the same moment. The text is the workload."""


def last_runs(workload: str) -> list[PastRun]:
    """The workload's last runs, oldest first."""
    return _read(workload)[0]


def remember(workload: str, run: PastRun) -> Mapping[str, float]:
    """Add the run, or replace its entry; returns what its entry said before, by step.

    Raises HistoryBusy.
    """
    for _ in range(_ATTEMPTS):
        runs, text = _read(workload)
        before = next((each.steps for each in runs if each.run_id == run.run_id), {})
        kept = [each for each in runs if each.run_id != run.run_id]
        if _write(workload, [*kept, run][-LAST_RUNS:], text):
            return before
    raise HistoryBusy(workload)


def _read(workload: str) -> tuple[list[PastRun], str | None]:
    item = _table().get_item(Key={"pk": _pk(workload)}, ConsistentRead=True).get("Item")
    text = str(item["runs"]) if item else None
    return [PastRun(**each) for each in json.loads(text or "[]")], text


def _write(workload: str, runs: Sequence[PastRun], read: str | None) -> bool:
    unchanged = Attr("pk").not_exists() if read is None else Attr("runs").eq(read)
    item = {"pk": _pk(workload), "runs": json.dumps([asdict(run) for run in runs])}
    return write_if(unchanged, _table().put_item, Item=item)


def _pk(workload: str) -> str:
    return f"cost#{workload}"


def _table() -> Any:
    return table(os.environ["TABLE_NAME"])
