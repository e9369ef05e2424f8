"""How an execution ended, read from its description by Step Functions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.uploads import REFUSED
from costs.run_costs import RunCost
from runs.causes import FailedJob, failed_job, json_object, readable_cause
from runs.names import run_id
from shared.text import one_line

# The start of a processing job's message about a bad file that was too large for a complete check before.
_REFUSAL = f"{REFUSED}: "


@dataclass(frozen=True)
class Ending:
    """The end of an execution. `output` is empty unless it succeeded; otherwise `error` and `cause` are.

    `bytes` is the size of the upload; `cost` is None if nobody asked for it, or nobody knows it.
    """

    execution_arn: str
    status: str
    redrives: int
    upload: str
    output: Mapping[str, Any]
    error: str
    cause: str
    job: FailedJob | None
    run_id: str = ""
    bytes: int = 0
    cost: RunCost | None = None

    @property
    def outcome(self) -> str:
        """One word: the outcome, the error's name, or else the status."""
        if self.status == "SUCCEEDED":
            return str(self.output.get("outcome") or "succeeded")
        return self.error or self.status if self.status == "FAILED" else self.status

    @property
    def step(self) -> str:
        """The step whose job failed: `preprocess`, `tune`, `evaluate`, `predict`; empty if no job failed."""
        return self.job.step if self.job else ""

    @property
    def decision(self) -> Mapping[str, str]:
        """Reviewer, comment, time and the overruled decision; empty texts if nobody decided."""
        said = self.output.get("decision")
        known = said if isinstance(said, Mapping) else {}
        return {
            name: str(known.get(name) or "") for name in ("reviewer", "comment", "decided_at", "overruled")
        }

    @property
    def identity(self) -> str:
        """Distinguishes this end from others of the same execution, which can be redriven."""
        return identity(self.execution_arn, self.status, self.redrives)

    @property
    def concerns_somebody(self) -> bool:
        """Whether it has a mail: a duplicate of an upload's event concerns nobody."""
        return self.outcome != "already_processed"

    @property
    def shared_notice(self) -> str:
        """The key of a mail that all runs with this end share; empty if each run has a mail of its own."""
        return f"{self.error}#{self.cause}" if self.outcome == "TooManyRuns" else ""


def identity(execution_arn: str, status: str, redrives: int) -> str:
    """The key of an end, for which one mail is sent."""
    return f"{execution_arn}#{status}#{redrives}"


def from_detail(detail: Mapping[str, Any]) -> Ending:
    """Read the answer of DescribeExecution, even of an execution that is under way."""
    output = json_object(detail.get("output"))
    error = one_line(str(detail.get("error") or ""), 100)
    cause = readable_cause(str(detail.get("cause") or ""))
    job = failed_job(str(detail.get("cause") or ""))
    if job and job.step == "preprocess" and cause.startswith(_REFUSAL):
        error, cause = REFUSED, cause.removeprefix(_REFUSAL)
    return Ending(
        execution_arn=str(detail["executionArn"]),
        status=str(detail["status"]),
        redrives=int(detail.get("redriveCount") or 0),
        upload=uploaded_key(json_object(detail.get("input"))),
        output=output,
        error=error,
        cause=cause,
        job=job,
        run_id=_run_id(detail),
        bytes=_uploaded_bytes(json_object(detail.get("input"))),
    )


def _run_id(detail: Mapping[str, Any]) -> str:
    """The run's id; empty for an event, which has no moment of the start."""
    started = detail.get("startDate")
    return run_id(str(detail["executionArn"]), started) if isinstance(started, datetime) else ""


def _uploaded_bytes(execution_input: Mapping[str, Any]) -> int:
    try:
        return int(execution_input["detail"]["object"]["size"])
    except (KeyError, TypeError, ValueError):
        return 0


def uploaded_key(execution_input: Mapping[str, Any]) -> str:
    """The uploaded object's key in the S3 event that started the execution, safe for a mail."""
    try:
        return one_line(str(execution_input["detail"]["object"]["key"]), 256)
    except (KeyError, TypeError):
        return ""
