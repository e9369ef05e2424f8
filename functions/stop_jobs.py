"""An execution failed, was stopped or took too long: none of its jobs goes on working, and costing.

The scheduled sweep does the same for what this function did not hear of, or came too early for.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aws import prepare
from orphans import jobs_in_progress, stop_jobs_of
from runs import run_id
from telemetry import Answer, Event, logger, observed

prepare("stepfunctions", "sagemaker")


@observed
def handler(event: Event) -> Answer:
    detail = event["detail"]
    arn, redrives = detail["executionArn"], int(detail.get("redriveCount") or 0)
    stopped = stop_jobs_of(arn, redrives, jobs_in_progress(_run_id(detail)))
    logger.info("jobs looked for", execution_arn=arn, stopped=stopped)
    return {"stopped": stopped}


def _run_id(detail: Mapping[str, Any]) -> str:
    # Milliseconds; a redrive does not change it.
    return run_id(detail["executionArn"], datetime.fromtimestamp(detail["startDate"] / 1000, UTC))
