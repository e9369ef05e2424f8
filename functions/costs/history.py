"""The costs of a workload's last runs: one item `cost#<workload>` of the table.

runs   JSON: a list, oldest first, of {run_id, bytes, steps, complete}: USD by step of each run that ended
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from shared.aws import table

LAST_RUNS = 10


@dataclass(frozen=True)
class PastRun:
    """What one run cost, by step, for an upload of so many bytes; `complete` if no step failed."""

    run_id: str
    bytes: int
    steps: Mapping[str, float]
    complete: bool = True


def last_runs(workload: str) -> list[PastRun]:
    """The workload's last runs, oldest first."""
    return read_runs(workload)[0]


def read_runs(workload: str) -> tuple[list[PastRun], str | None]:
    """The same, and the item's text; None without an item."""
    item = table(os.environ["TABLE_NAME"]).get_item(Key={"pk": key_of(workload)}, ConsistentRead=True)
    text = str(item["Item"]["runs"]) if "Item" in item else None
    return [PastRun(**each) for each in json.loads(text or "[]")], text


def key_of(workload: str) -> str:
    """The key of a workload's item."""
    return f"cost#{workload}"
