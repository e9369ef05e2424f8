"""The errors of the local SageMaker for refused requests and failed jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ServiceError(Exception):
    """An error response of the API.

    `code` is the error's name as clients see it (`ValidationException`), `message` its text,
    `status` the HTTP status and `details` the error's other members.
    """

    def __init__(
        self, code: str, message: str, status: int = 400, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.details = dict(details or {})


class JobFailed(Exception):
    """Ends a job as Failed; the text is its `FailureReason`."""


class JobStopped(Exception):
    """Ends a job as Stopped: somebody stopped it, or it reached its time limit."""

    def __init__(self, *, timed_out: bool = False) -> None:
        super().__init__("time limit" if timed_out else "stop request")
        self.timed_out = timed_out


class InstanceReclaimed(Exception):
    """A job's spot instance was reclaimed; the job restarts on another one."""


def invalid(message: str) -> ServiceError:
    """The request is valid JSON but refused."""
    return ServiceError("ValidationException", message)


def unsupported(what: str) -> ServiceError:
    """SageMaker supports it, the local one does not; `what` begins the sentence."""
    return invalid(f"{what} not supported by the local SageMaker.")
