"""What models saw since the last look: batch transforms, captured requests, uploads that bring labels.

Objects count by the time at which S3 stored them. A window includes its beginning and excludes its end, a
whole second that has passed, so that no object falls between two windows.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from common.uploads import BadUpload
from common.workload import Workload
from runs.executions import Execution, describe, list_executions
from runs.workload_choice import choose
from shared.aws import client

# The state machine's limit, and 14 days in which an execution can be redriven.
_LONGEST_RUN = timedelta(days=45 + 14)
# An endpoint may store a request so long after it, in the folder of the request's hour.
_CAPTURE_DELAY = timedelta(hours=1)
# Of prepared files: what says which rows have which labels. The batch is the request of the predictions.
_NOT_NEEDED = ("batch/",)


@dataclass(frozen=True)
class Stored:
    """An object."""

    key: str
    at: datetime
    bytes: int


@dataclass(frozen=True)
class Source:
    """Objects that are looked at together: an output, an upload's prepared rows, captured requests."""

    name: str
    files: tuple[Stored, ...]
    has_labels: bool = False

    @property
    def at(self) -> datetime:
        """When it was complete."""
        return max(file.at for file in self.files)

    @property
    def bytes(self) -> int:
        """The size of all its files."""
        return sum(file.bytes for file in self.files)


def sources_of_runs(
    workloads: Mapping[str, Workload], since: datetime, until: datetime
) -> dict[str, list[Source]]:
    """What the runs of each workload predicted and prepared in the window.

    Retrainings are left out: their rows were there before.
    """
    found: dict[str, list[Source]] = {}
    for execution in list_executions(os.environ["STATE_MACHINE_ARN"], since - _LONGEST_RUN):
        if execution.started >= until or (execution.stopped and execution.stopped < since):
            continue
        sources = [source for source in written_by(execution.run_id) if since <= source.at < until]
        if sources and (workload := _workload_of(execution, workloads)):
            found.setdefault(workload, []).extend(sources)
    return found


def captured_by(workload: str, endpoint: str, since: datetime, until: datetime) -> Iterator[Source]:
    """The requests that an endpoint captured in the window, file by file."""
    folder = f"captured/{workload}/{endpoint}/live/"
    begin = f"{folder}{since - _CAPTURE_DELAY:%Y/%m/%d/%H}"
    for file in list_objects(folder, StartAfter=begin):
        if since <= file.at < until:
            yield Source(file.key, (file,))


def written_by(run_id: str) -> Iterator[Source]:
    """What a run predicted and prepared, if it did."""
    folder = f"runs/{run_id}/"
    # "prepared/" and "predictions/" in one call.
    files = list(list_objects(f"{folder}pre"))
    predicted = tuple(f for f in files if f.key.startswith(f"{folder}predictions/"))
    prepared = f"{folder}prepared/"
    labelled = tuple(
        f for f in files if f.key.startswith(prepared) and not f.key[len(prepared) :].startswith(_NOT_NEEDED)
    )
    if predicted:
        yield Source(f"the batch of run {run_id}", predicted)
    # The job writes the summary last; without it, the upload was not accepted.
    if any(f.key == f"{prepared}summary.json" for f in labelled):
        yield Source(f"the upload of run {run_id}", labelled, has_labels=True)


def _workload_of(execution: Execution, workloads: Mapping[str, Workload]) -> str:
    """The workload of the run's upload; empty if the run is a retraining, or has no workload of ours."""
    detail = _detail(describe(execution.arn).get("input"))
    if detail.get("reason") in ("schedule", "drift", "retrain"):
        return ""
    try:
        return choose(str(detail["object"]["key"]), workloads, os.environ["DEFAULT_WORKLOAD"]).workload.name
    except (BadUpload, KeyError, TypeError):
        return ""


def _detail(execution_input: object) -> Mapping[str, Any]:
    found = json.loads(str(execution_input or "{}"))
    detail = found.get("detail") if isinstance(found, dict) else None
    return detail if isinstance(detail, dict) else {}


def list_objects(prefix: str, **options: str) -> Iterator[Stored]:
    """The objects under a prefix of the pipeline's bucket, by key; `options` of ListObjectsV2."""
    pages = client("s3").get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=os.environ["BUCKET_NAME"], Prefix=prefix, **options):
        for found in page.get("Contents", ()):
            yield Stored(found["Key"], found["LastModified"], int(found["Size"]))
