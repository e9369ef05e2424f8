"""How a Task state runs: arguments, attempts, time limit, Retry, Catch, output.

It follows https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html where the
emulator's own task execution does not: each attempt has its own task token, `TimeoutSeconds` may be an
expression, `MaxDelaySeconds` and `JitterStrategy` count, a Lambda that raises under `.waitForTaskToken` fails
the task, a stopped execution lets go of its task, and payloads over 256 KiB are refused.
"""

import json
import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from local.embedded.task_errors import TaskError

MAX_PAYLOAD_BYTES = 256 * 1024


class Callback(Protocol):
    """A task token that is waiting for SendTaskSuccess or SendTaskFailure."""

    token: str

    def wait(self, seconds: float) -> Any:
        """The result that was sent; raises TaskError when a failure was, TimeoutError when nothing came."""

    def close(self) -> None:
        """Nobody waits any more: whoever sends a result from now on is told that the token is unknown."""


@dataclass(frozen=True)
class TaskCall:
    """One attempt of one Task state, ready to be carried out."""

    state: str
    resource: str
    arguments: Any
    role_arn: str
    deadline: float | None
    callback: Callback | None
    still_wanted: Callable[[], bool]

    def seconds_left(self) -> float:
        """Until the task's time limit; a year when it has none."""
        return 31_536_000.0 if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def timed_out(self) -> TaskError:
        """What Step Functions raises when the task's time limit is over."""
        return TaskError("States.Timeout", f"The task {self.state} did not end within its TimeoutSeconds.")


class Execution(Protocol):
    """What a running execution offers to its tasks."""

    context: dict[str, Any]
    role_arn: str

    def evaluate(self, template: Any, *, result: Any = None, error: Any = None) -> Any: ...
    def assign(self, holder: Mapping[str, Any], *, result: Any = None, error: Any = None) -> None: ...
    def record(self, event: str, details: Mapping[str, Any]) -> None: ...
    def open_callback(self) -> Callback: ...
    def is_running(self) -> bool: ...
    def sleep(self, seconds: float) -> None: ...


class Integrations(Protocol):
    """Carries out what a task's Resource names."""

    def call(self, call: TaskCall) -> Any:
        """The task's result; raises TaskError."""


def run_task(
    state: Mapping[str, Any], execution: Execution, integrations: Integrations
) -> tuple[Any, str | None]:
    """Run a Task state to its output and the name of the next state (None at the end).

    Raises TaskError when neither Retry nor Catch takes the failure.
    """
    attempts: dict[int, int] = {}
    while True:
        execution.context["State"]["RetryCount"] = sum(attempts.values())
        try:
            result = _attempt(state, execution, integrations)
            output = execution.evaluate(state["Output"], result=result) if "Output" in state else result
            _check_size(output)
            execution.assign(state, result=result)
            return output, state.get("Next")
        except TaskError as failure:
            _record_failure(state, execution, failure)
            if _retry(state, execution, attempts, failure):
                continue
            return _catch(state, execution, failure)


def _attempt(state: Mapping[str, Any], execution: Execution, integrations: Integrations) -> Any:
    callback = execution.open_callback() if state["Resource"].endswith(".waitForTaskToken") else None
    if callback:
        execution.context["Task"] = {"Token": callback.token}
    arguments = execution.evaluate(state.get("Arguments", {}))
    _check_size(arguments)
    call = TaskCall(
        state=execution.context["State"]["Name"],
        resource=state["Resource"],
        arguments=arguments,
        role_arn=execution.role_arn,
        deadline=_deadline(state, execution),
        callback=callback,
        still_wanted=execution.is_running,
    )
    _record(execution, "TaskScheduled", call, {"parameters": json.dumps(arguments)})
    _record(execution, "TaskStarted", call, {})
    try:
        result = integrations.call(call)
    finally:
        if callback:
            callback.close()
    _check_size(result)
    _record(execution, "TaskSucceeded", call, {"output": json.dumps(result)})
    return result


def _deadline(state: Mapping[str, Any], execution: Execution) -> float | None:
    if "TimeoutSeconds" not in state:
        return None
    return time.monotonic() + float(execution.evaluate(state["TimeoutSeconds"]))


def _retry(
    state: Mapping[str, Any], execution: Execution, attempts: dict[int, int], failure: TaskError
) -> bool:
    for index, retrier in enumerate(state.get("Retry", [])):
        if not _matches(retrier["ErrorEquals"], failure.error):
            continue
        done = attempts.get(index, 0)
        if done >= retrier.get("MaxAttempts", 3) or not execution.is_running():
            return False
        execution.sleep(_delay(retrier, done))
        attempts[index] = done + 1
        return True
    return False


def _delay(retrier: Mapping[str, Any], done: int) -> float:
    delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** done
    delay = min(delay, retrier.get("MaxDelaySeconds", 31_622_400))
    return random.uniform(0, delay) if retrier.get("JitterStrategy") == "FULL" else delay  # noqa: S311 - jitter, no secret


def _catch(state: Mapping[str, Any], execution: Execution, failure: TaskError) -> tuple[Any, str]:
    error = {"Error": failure.error, "Cause": failure.cause}
    for catcher in state.get("Catch", []):
        if _matches(catcher["ErrorEquals"], failure.error):
            output = execution.evaluate(catcher["Output"], error=error) if "Output" in catcher else error
            execution.assign(catcher, error=error)
            return output, catcher["Next"]
    raise failure


# Errors that States.ALL does not take either: the execution itself is broken.
_NEVER_CAUGHT = {"States.DataLimitExceeded", "States.Runtime"}


def _matches(names: list[str], error: str) -> bool:
    if error in names:
        return True
    if "States.ALL" in names:
        return error not in _NEVER_CAUGHT
    return "States.TaskFailed" in names and error not in {"States.Timeout", *_NEVER_CAUGHT}


def _check_size(payload: Any) -> None:
    size = len(json.dumps(payload, separators=(",", ":")).encode())
    if size > MAX_PAYLOAD_BYTES:
        raise TaskError(
            "States.DataLimitExceeded", f"The payload has {size} bytes; the limit is {MAX_PAYLOAD_BYTES}."
        )


def _record_failure(state: Mapping[str, Any], execution: Execution, failure: TaskError) -> None:
    kind = "TaskTimedOut" if failure.error == "States.Timeout" else "TaskFailed"
    details = {"resource": state["Resource"], "error": failure.error, "cause": failure.cause}
    execution.record(kind, {f"{kind[0].lower()}{kind[1:]}EventDetails": details})


def _record(execution: Execution, event: str, call: TaskCall, details: Mapping[str, Any]) -> None:
    kind, _, resource = call.resource.removeprefix("arn:aws:states:::").rpartition(":")
    described = {"resourceType": kind, "resource": resource, **details}
    execution.record(event, {f"{event[0].lower()}{event[1:]}EventDetails": described})


def new_token() -> str:
    """An opaque task token."""
    return uuid.uuid4().hex * 4
