"""How a Task state runs: arguments, attempts, time limit, Retry, Catch, output.

It follows https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html where the
emulator's own task execution does not: each attempt has its own task token, `TimeoutSeconds` may be an
expression, `MaxDelaySeconds` and `JitterStrategy` are respected, a Lambda that raises under
`.waitForTaskToken` fails the task, a stopped execution releases its task, payloads over 256 KiB are refused.
"""

import json
import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from local.embedded.resources import Resource, read_resource
from local.embedded.task_errors import TaskError
from local.embedded.task_events import TaskEvents

MAX_PAYLOAD_BYTES = 256 * 1024


class Stopped(Exception):
    """The execution ended while one of its states was running."""


class Callback(Protocol):
    """A task token that waits for SendTaskSuccess or SendTaskFailure."""

    token: str

    def wait(self, seconds: float) -> Any:
        """The result that was sent; raises TaskError for a failure, TimeoutError if nothing arrives."""

    def close(self) -> None:
        """Stop waiting: later results are refused because the token is unknown."""


@dataclass(frozen=True)
class TaskCall:
    """One attempt of one Task state, ready to be executed."""

    state: str
    resource: str
    arguments: Any
    role_arn: str
    deadline: float | None
    callback: Callback | None
    still_wanted: Callable[[], bool]
    submitted: Callable[[Any], None] = lambda response: None
    """Reports that the service has accepted the request, with its response, and that the wait begins."""

    def seconds_left(self) -> float:
        """Seconds until the task's time limit; a year if it has none."""
        return 31_536_000.0 if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def timed_out(self) -> TaskError:
        """Step Functions' error when the task exceeds its time limit."""
        return TaskError("States.Timeout", f"The task {self.state} did not end within its TimeoutSeconds.")


class Language(Protocol):
    """A state's QueryLanguage, with the state's input and the current variables."""

    def arguments(self, state: Mapping[str, Any]) -> Any:
        """The request to the resource."""

    def output(self, state: Mapping[str, Any], result: Any) -> Any:
        """The state's output from its result; assigns variables as well."""

    def caught(self, catcher: Mapping[str, Any], error: Mapping[str, str]) -> Any:
        """The same, after a Catch has caught the error."""

    def number(self, state: Mapping[str, Any], field: str) -> float | None:
        """A field of the state such as TimeoutSeconds, in either of its forms; None without it."""


class Execution(Protocol):
    """The interface of a running execution for its states."""

    context: dict[str, Any]
    role_arn: str

    def language(self, state: Mapping[str, Any]) -> Language: ...
    def record(self, event: str, details: Mapping[str, Any]) -> None: ...
    def open_callback(self) -> Callback: ...
    def is_running(self) -> bool: ...
    def sleep(self, seconds: float) -> None: ...


class Integrations(Protocol):
    """Executes what a task's Resource names."""

    def call(self, call: TaskCall) -> Any:
        """The task's result; raises TaskError."""


def run_task(
    state: Mapping[str, Any], execution: Execution, integrations: Integrations
) -> tuple[Any, str | None]:
    """Run a Task state; returns its output and the name of the next state (None at the end).

    Raises TaskError if neither Retry nor Catch matches the failure, and Stopped.
    """
    attempts: dict[int, int] = {}
    while True:
        execution.context["State"]["RetryCount"] = sum(attempts.values())
        try:
            return attempt(state, execution, integrations)[1], state.get("Next")
        except TaskError as failure:
            _still_needed(execution)
            if _retry(state, execution, attempts, failure):
                continue
            return catch(state, execution, failure)


def attempt(
    state: Mapping[str, Any], execution: Execution, integrations: Integrations
) -> tuple[TaskCall, Any]:
    """Try a Task state once; returns the call and the state's output. Raises TaskError and Stopped."""
    # Unknown resources were already refused with the definition.
    resource = read_resource(state["Resource"]) or Resource("unknown")
    callback = execution.open_callback() if resource.waits_for_token else None
    events = TaskEvents(execution.record, state["Resource"], resource)
    try:
        call = _prepare(state, execution, callback, events.submitted)
        events.scheduled(call.arguments, execution.language(state).number(state, "TimeoutSeconds"))
        result = integrations.call(call)
        _still_needed(execution)
        check_size(result)
        events.succeeded(result)
        output = execution.language(state).output(state, result)
        check_size(output)
        return call, output
    except TaskError as failure:
        events.failed(failure)
        raise
    finally:
        if callback:
            callback.close()


def _still_needed(execution: Execution) -> None:
    """Raises Stopped if the execution ended meanwhile: a redrive begins with its variables of then."""
    if not execution.is_running():
        raise Stopped


def _prepare(
    state: Mapping[str, Any],
    execution: Execution,
    callback: Callback | None,
    submitted: Callable[[Any], None],
) -> TaskCall:
    if callback:
        execution.context["Task"] = {"Token": callback.token}
    language = execution.language(state)
    arguments = language.arguments(state)
    check_size(arguments)
    limit = language.number(state, "TimeoutSeconds")
    return TaskCall(
        state=execution.context["State"]["Name"],
        resource=state["Resource"],
        arguments=arguments,
        role_arn=execution.role_arn,
        deadline=None if limit is None else time.monotonic() + limit,
        callback=callback,
        still_wanted=execution.is_running,
        submitted=submitted,
    )


def _retry(
    state: Mapping[str, Any], execution: Execution, attempts: dict[int, int], failure: TaskError
) -> bool:
    index, retrier = find_retrier(state, failure)
    done = attempts.get(index, 0)
    if retrier is None or done >= retrier.get("MaxAttempts", 3):
        return False
    execution.sleep(_delay(retrier, done))
    attempts[index] = done + 1
    return True


def find_retrier(state: Mapping[str, Any], failure: TaskError) -> tuple[int, Mapping[str, Any] | None]:
    """The index of the first retrier that matches the failure, and the retrier itself."""
    for index, retrier in enumerate(state.get("Retry", [])):
        if matches(retrier["ErrorEquals"], failure.error):
            return index, retrier
    return -1, None


def _delay(retrier: Mapping[str, Any], done: int) -> float:
    delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** done
    delay = min(delay, retrier.get("MaxDelaySeconds", 31_622_400))
    return random.uniform(0, delay) if retrier.get("JitterStrategy") == "FULL" else delay  # noqa: S311 - jitter, no secret


def catch(state: Mapping[str, Any], execution: Execution, failure: TaskError) -> tuple[Any, str]:
    """Output and next state from the Catch that matches the failure; re-raises it if none does."""
    error = {"Error": failure.error, "Cause": failure.cause}
    for catcher in state.get("Catch", []):
        if matches(catcher["ErrorEquals"], failure.error):
            return execution.language(state).caught(catcher, error), catcher["Next"]
    raise failure


# Errors that not even States.ALL matches: the execution itself is broken.
_NEVER_CAUGHT = {"States.DataLimitExceeded", "States.Runtime"}


def matches(names: list[str], error: str) -> bool:
    """Whether a Retry or Catch with these names matches the error."""
    if error in names:
        return True
    if "States.ALL" in names:
        return error not in _NEVER_CAUGHT
    return "States.TaskFailed" in names and error not in {"States.Timeout", *_NEVER_CAUGHT}


def check_size(payload: Any) -> None:
    """Raises TaskError for a payload that is larger than Step Functions allows."""
    size = len(json.dumps(payload, separators=(",", ":")).encode())
    if size > MAX_PAYLOAD_BYTES:
        raise TaskError(
            "States.DataLimitExceeded", f"The payload has {size} bytes; the limit is {MAX_PAYLOAD_BYTES}."
        )


def new_token() -> str:
    """An opaque task token."""
    return uuid.uuid4().hex * 4
