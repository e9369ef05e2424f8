"""Finds a run of a workload that has not ended. One that waits for a decision has not."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from common.uploads import BadUpload
from common.workload import find_workloads
from runs.causes import json_object
from runs.executions import describe
from runs.workload_choice import choose
from shared.aws import client


def open_run(workload: str) -> str:
    """The ARN of an execution that works on an upload of this workload, or waits; empty if there is none."""
    workloads, default = find_workloads(), os.environ["DEFAULT_WORKLOAD"]
    for arn in _running():
        key = _uploaded_key(json_object(describe(arn).get("input")))
        try:
            if choose(key, workloads, default).workload.name == workload:
                return arn
        except BadUpload:
            continue  # its run is about to refuse it
    return ""


def _running() -> Iterator[str]:
    pages = (
        client("stepfunctions")
        .get_paginator("list_executions")
        .paginate(stateMachineArn=os.environ["STATE_MACHINE_ARN"], statusFilter="RUNNING")
    )
    return (str(execution["executionArn"]) for page in pages for execution in page["executions"])


def _uploaded_key(event: Mapping[str, Any]) -> str:
    for name in ("detail", "object"):
        event = event.get(name) or {}
    return str(event.get("key") or "")
