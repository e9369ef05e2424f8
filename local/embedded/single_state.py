"""TestState: runs one state once, with its own resource or with a mocked result.

https://docs.aws.amazon.com/step-functions/latest/dg/test-state-isolation.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.embedded.machine import Steps, run_state
from local.embedded.resources import not_recognized, read_resource
from local.embedded.task_errors import TaskError
from local.embedded.tasks import Integrations, TaskCall, attempt, catch, find_retrier


def why_not_testable(state: Mapping[str, Any], *, mocked: bool) -> str:
    """Why a state cannot be tested; "" if it can."""
    if state.get("Type") in {"Map", "Parallel"}:
        return f"The state type {state['Type']} is not supported by the embedded AWS's TestState."
    if state.get("Type") != "Task":
        return ""
    resource = read_resource(str(state.get("Resource", "")))
    if resource is None:
        return not_recognized(str(state.get("Resource")))
    if not mocked and (resource.pattern or resource.waits_for_token):
        return f"{state['Resource']} can only be tested with a mock, because TestState does not wait."
    return ""


@dataclass
class Watched:
    """Integrations that record requests and results; a mock answers in place of the resource."""

    inner: Integrations
    mock: Mapping[str, Any]
    seen: dict[str, Any] = field(default_factory=dict)

    def call(self, call: TaskCall) -> Any:
        self.seen["arguments"] = call.arguments
        if "errorOutput" in self.mock:
            given = self.mock["errorOutput"]
            raise TaskError(given.get("error", ""), given.get("cause", ""))
        result = json.loads(self.mock["result"]) if "result" in self.mock else self.inner.call(call)
        self.seen["result"] = result
        return result


def try_state(
    state: Mapping[str, Any], state_input: Any, steps: Steps, integrations: Integrations, retries: int
) -> dict[str, Any]:
    """Status, output and next state, or error and cause, as TestState returns them.

    `retries` is the number of retries so far.
    """
    try:
        if state["Type"] == "Task":
            output, following = attempt(state, steps, integrations)[1], state.get("Next")
        else:
            output, following = run_state(state, state_input, steps, integrations)
    except TaskError as failure:
        return {"error": failure.error, "cause": failure.cause, **_after(failure, state, steps, retries)}
    return _answer("SUCCEEDED", output, following)


def _after(failure: TaskError, state: Mapping[str, Any], steps: Steps, retries: int) -> dict[str, Any]:
    _, retrier = find_retrier(state, failure)
    if retrier is not None and retries < retrier.get("MaxAttempts", 3):
        return {"status": "RETRIABLE"}
    try:
        return _answer("CAUGHT_ERROR", *catch(state, steps, failure))
    except TaskError:
        return {"status": "FAILED"}


def _answer(status: str, output: Any, following: str | None) -> dict[str, Any]:
    answer = {"status": status, "output": json.dumps(output)}
    return {**answer, "nextState": following} if following else answer
