"""How an execution goes from state to state, until it ends or can be redriven.

It follows the Amazon States Language (https://states-language.net) in both query languages and, for
redrives, https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html: a redriven execution
re-enters the state in which it ended, with that state's input and variables, so it cannot
leave a Fail state.

Tasks and the plain states of JSONata are here. The emulator runs Map, Parallel and the plain states of
JSONPath, and calls back for every task inside them.
"""

import logging
from collections.abc import Mapping
from typing import Any, Protocol

from local.embedded.task_errors import TaskError
from local.embedded.tasks import Execution, Integrations, Stopped, run_task

logger = logging.getLogger(__name__)


class Steps(Execution, Protocol):
    """An execution, as far as single states are concerned."""

    def uses_jsonata(self, state: Mapping[str, Any]) -> bool: ...
    def evaluate(self, template: Any) -> Any: ...
    def assign(self, holder: Mapping[str, Any], *, result: Any = None) -> None: ...
    def branch_out(self, state: Mapping[str, Any]) -> tuple[Any, str | None]:
        """Run a Map or Parallel state."""

    def follow_paths(self, state: Mapping[str, Any]) -> tuple[Any, str | None]:
        """Run a Pass, Choice, Wait or Succeed state of JSONPath, or raise a Fail state's error."""


class Journey(Steps, Protocol):
    """An execution or one of its branches, as far as moving through the states is concerned."""

    def position(self) -> tuple[str | None, Any]:
        """The state to enter next (None at the end), and its input."""

    def enter(self, name: str, state: Mapping[str, Any], state_input: Any) -> None: ...
    def leave(self, name: str, state: Mapping[str, Any], output: Any, following: str | None) -> None: ...


class Ending(Journey, Protocol):
    """An execution, as far as its end is concerned."""

    def succeed(self, output: Any) -> None: ...
    def fail(self, failure: TaskError) -> None: ...


def run_machine(definition: Mapping[str, Any], execution: Ending, integrations: Integrations) -> None:
    """Run the execution from its current position to its end, unless it is stopped. Never raises."""
    try:
        execution.succeed(walk(definition["States"], execution, integrations))
    except Stopped:
        return
    except TaskError as failure:
        _fail(execution, failure)
    except Exception as failure:
        logger.exception("An execution failed inside the embedded Step Functions")
        _fail(execution, TaskError("States.Runtime", f"{type(failure).__name__}: {failure}"))


def _fail(execution: Ending, failure: TaskError) -> None:
    if execution.is_running():
        execution.fail(failure)


def walk(states: Mapping[str, Any], journey: Journey, integrations: Integrations) -> Any:
    """Run states up to the last one's output. Raises TaskError and Stopped."""
    while True:
        if not journey.is_running():
            raise Stopped
        name, state_input = journey.position()
        if name is None:
            return state_input
        if name not in states:
            raise TaskError("States.Runtime", f"There is no state {name}.")
        journey.enter(name, states[name], state_input)
        output, following = run_state(states[name], state_input, journey, integrations)
        if not journey.is_running():
            raise Stopped
        journey.leave(name, states[name], output, following)


def run_state(
    state: Mapping[str, Any], state_input: Any, steps: Steps, integrations: Integrations
) -> tuple[Any, str | None]:
    """Run one state; returns its output and the name of the next one (None at the end). Raises TaskError."""
    if not steps.uses_jsonata(state) and (holder := _find_assign(state)):
        raise TaskError(
            "States.Runtime", f"Assign in a JSONPath state ({holder}) is not supported by the embedded AWS."
        )
    match state["Type"]:
        case "Task":
            return run_task(state, steps, integrations)
        case "Map" | "Parallel":
            return steps.branch_out(state)
        case "Pass" | "Choice" | "Wait" | "Succeed" | "Fail" if not steps.uses_jsonata(state):
            return steps.follow_paths(state)
        case "Choice":
            return _choose(state, state_input, steps)
        case "Fail":
            raise TaskError(*(str(steps.evaluate(state.get(field, ""))) for field in ("Error", "Cause")))
        case "Wait" if "Seconds" in state:
            steps.sleep(float(steps.evaluate(state["Seconds"])))
        case "Wait":
            return steps.follow_paths(state)
    output = steps.evaluate(state["Output"]) if "Output" in state else state_input
    steps.assign(state, result=output)
    return output, state.get("Next")


def _find_assign(state: Mapping[str, Any]) -> str:
    holders = {"the state": [state], **{name: state.get(name, []) for name in ("Catch", "Choices")}}
    return next((name for name, each in holders.items() if any("Assign" in holder for holder in each)), "")


def _choose(state: Mapping[str, Any], state_input: Any, steps: Steps) -> tuple[Any, str]:
    for choice in state["Choices"]:
        if steps.evaluate(choice["Condition"]) is True:
            output = steps.evaluate(choice["Output"]) if "Output" in choice else state_input
            steps.assign(choice)
            return output, choice["Next"]
    if "Default" not in state:
        raise TaskError("States.NoChoiceMatched", "No choice rule matched and the state has no Default.")
    output = steps.evaluate(state["Output"]) if "Output" in state else state_input
    steps.assign(state)
    return output, state["Default"]
