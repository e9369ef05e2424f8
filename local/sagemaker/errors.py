"""What the local SageMaker says when it refuses a request or when a job goes wrong."""

from __future__ import annotations


class ServiceError(Exception):
    """An answer of the API that is an error.

    `code` is the error's name as clients see it (`ValidationException`), `message` its text and
    `status` the HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class JobFailed(Exception):
    """Ends a job as Failed; the text is its `FailureReason`."""


class JobStopped(Exception):
    """Ends a job as Stopped: somebody stopped it, or its time was up."""

    def __init__(self, *, timed_out: bool = False) -> None:
        super().__init__("time limit" if timed_out else "stop request")
        self.timed_out = timed_out


class InstanceReclaimed(Exception):
    """The spot instance under a job was taken away; the job begins anew on another one."""


def invalid(message: str) -> ServiceError:
    """The request is understood and refused."""
    return ServiceError("ValidationException", message)


def unsupported(what: str) -> ServiceError:
    """SageMaker can do it, this one cannot; `what` begins the sentence."""
    return invalid(f"{what} not supported by the local SageMaker.")
