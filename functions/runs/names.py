"""The names of a run and its jobs, as pipeline and monitor in `statemachine/` compose them."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

# The start of every run id and job name.
PREFIX = "mpg-"
_RUN = rf"({PREFIX}\d{{8}}-\d{{4}}-[0-9a-f]{{8}})"
# One execution of monitoring has a job for each workload, which are numbered.
_JOB = re.compile(_RUN + r"-(preprocess|evaluate|predict|monitor-\d+)-(\d+)-(\d+)")
# A tuning job's name has at most 32 characters, five of them for the attempt.
_TUNING = re.compile(_RUN + r"-([0-9a-z]{1,5})")
_RETRIES = 1000


@dataclass(frozen=True)
class Attempt:
    """The parts of a job's name: run, step ("" for tuning), redrive and retry."""

    run_id: str
    step: str
    redrive: int
    retry: int


def run_id(execution_arn: str, started: datetime) -> str:
    """`mpg-<date>-<hour and minute of the start, UTC>-<first 8 digits of the ARN's SHA-256>`."""
    digest = hashlib.sha256(execution_arn.encode()).hexdigest()
    return f"{PREFIX}{started.astimezone(UTC):%Y%m%d-%H%M}-{digest[:8]}"


def read_attempt(job_name: str) -> Attempt | None:
    """The parts of a job's name; None if the state machine composes no such name."""
    if match := _TUNING.fullmatch(job_name):
        return Attempt(match[1], "", *divmod(int(match[2], 36), _RETRIES))
    match = _JOB.fullmatch(job_name)
    return Attempt(match[1], match[2], int(match[3]), int(match[4])) if match else None
