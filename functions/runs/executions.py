"""Lists and describes the executions of the state machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runs.names import run_id
from shared.aws import client
from shared.polling import poll
from shared.telemetry import PublicError

ENDED_BADLY = {"FAILED", "ABORTED", "TIMED_OUT"}
ENDED = ENDED_BADLY | {"SUCCEEDED"}


class NotEnded(PublicError):
    """An event says that an execution ended, but Step Functions says that it runs. The text is its ARN."""


@dataclass(frozen=True)
class Execution:
    """One execution. `stopped` is None while it runs; `redrives` counts its redrives."""

    arn: str
    status: str
    redrives: int
    started: datetime
    stopped: datetime | None

    @property
    def run_id(self) -> str:
        """The run's id, with which its jobs' names begin."""
        return run_id(self.arn, self.started)


def list_executions(state_machine_arn: str, started_after: datetime) -> list[Execution]:
    """All executions, newest first. Step Functions deletes an execution 90 days after its end."""
    found: list[Execution] = []
    paginator = client("stepfunctions").get_paginator("list_executions")
    for page in paginator.paginate(stateMachineArn=state_machine_arn):
        for summary in page["executions"]:
            if summary["startDate"] < started_after:
                return found
            found.append(_from_summary(summary))
    return found


def describe(execution_arn: str) -> Mapping[str, Any]:
    """The answer of DescribeExecution."""
    described: Mapping[str, Any] = client("stepfunctions").describe_execution(executionArn=execution_arn)
    return described


def describe_end(detail: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The description of an execution that ended according to an event; None if it was redriven since.

    The event only names the execution, since every caller of a function can forge one. Descriptions are
    eventually consistent, so one that is older than the event is read again. If it stays so, raises NotEnded,
    so that Lambda delivers the event again.
    """
    arn, redrives = detail["executionArn"], int(detail.get("redriveCount") or 0)
    described = poll(lambda: _ended_or_redriven(arn, redrives))
    if described is None:
        raise NotEnded(arn)
    return described if described["status"] in ENDED else None


def _ended_or_redriven(execution_arn: str, redrives: int) -> Mapping[str, Any] | None:
    described = describe(execution_arn)
    redriven = int(described.get("redriveCount") or 0) > redrives
    return described if described["status"] in ENDED or redriven else None


def _from_summary(summary: Mapping[str, Any]) -> Execution:
    return Execution(
        arn=summary["executionArn"],
        status=summary["status"],
        redrives=int(summary.get("redriveCount") or 0),
        started=summary["startDate"],
        stopped=summary.get("stopDate"),
    )
