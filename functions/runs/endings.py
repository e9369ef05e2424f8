"""How an execution of the pipeline ended, read from what Step Functions says about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common.uploads import REFUSED
from runs.causes import FailedJob, failed_job, json_object, readable_cause
from shared.text import one_line

# What a processing job's message begins with when the rest of a file, too large to be checked beforehand, is
# to blame.
_REFUSAL = f"{REFUSED}: "


@dataclass(frozen=True)
class Ending:
    """The end of an execution. `output` is empty unless it succeeded; then `error` and `cause` are."""

    execution_arn: str
    status: str
    redrives: int
    upload: str
    output: Mapping[str, Any]
    error: str
    cause: str
    job: FailedJob | None

    @property
    def outcome(self) -> str:
        """One word for what became of it: the outcome, the error's name, or else the status."""
        if self.status == "SUCCEEDED":
            return str(self.output.get("outcome") or "succeeded")
        return self.error or self.status if self.status == "FAILED" else self.status

    @property
    def step(self) -> str:
        """The step whose job failed: `preprocess`, `tune`, `evaluate`, `predict`; empty if it was no job."""
        return self.job.step if self.job else ""

    @property
    def decision(self) -> Mapping[str, str]:
        """Reviewer, comment, time and what was overruled; empty texts if nobody decided."""
        said = self.output.get("decision")
        known = said if isinstance(said, Mapping) else {}
        return {
            name: str(known.get(name) or "") for name in ("reviewer", "comment", "decided_at", "overruled")
        }

    @property
    def identity(self) -> str:
        """What distinguishes this end from others of the same execution, which can be redriven."""
        return identity(self.execution_arn, self.status, self.redrives)

    @property
    def shared_notice(self) -> str:
        """What is mailed once for all the runs that end so; empty when each has a mail of its own."""
        return f"{self.error}#{self.cause}" if self.outcome == "TooManyRuns" else ""


def identity(execution_arn: str, status: str, redrives: int) -> str:
    """The name of an end, under which it is mailed once."""
    return f"{execution_arn}#{status}#{redrives}"


def from_detail(detail: Mapping[str, Any]) -> Ending:
    """Read the answer of DescribeExecution; the event's detail has the same names."""
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
    )


def uploaded_key(execution_input: Mapping[str, Any]) -> str:
    """The uploaded object's key in the S3 event that started the execution, fit for a mail."""
    try:
        return one_line(str(execution_input["detail"]["object"]["key"]), 256)
    except (KeyError, TypeError):
        return ""
