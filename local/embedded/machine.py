"""How an execution goes from state to state, to its end or to where a redrive takes it up again.

Covers what a JSONata machine of Task, Choice, Pass, Wait, Succeed and Fail states needs; a machine with other
states is left to the emulator. It follows the Amazon States Language (https://states-language.net) and, for
redrives, https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html: a redriven execution
enters the state it ended in again, with that state's input and the variables of then. That is why it cannot
get out of a Fail state.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from local.embedded.task_errors import TaskError
from local.embedded.tasks import Execution, Integrations, run_task

KNOWN_TYPES = {"Task", "Choice", "Pass", "Wait", "Succeed", "Fail"}


class Journey(Protocol):
    """An execution, as far as the walk through its states is concerned."""

    def position(self) -> tuple[str | None, Any]:
        """The state to enter next (None: the end is reached), and its input."""

    def enter(self, name: str, state: Mapping[str, Any], state_input: Any) -> Execution: ...
    def leave(self, name: str, state: Mapping[str, Any], output: Any, following: str | None) -> None: ...
    def is_running(self) -> bool: ...
    def succeed(self, output: Any) -> None: ...
    def fail(self, failure: TaskError) -> None: ...


def can_walk(definition: Mapping[str, Any]) -> bool:
    """Whether `walk` knows everything that this machine needs."""
    states = definition.get("States", {}).values()
    jsonata = definition.get("QueryLanguage") == "JSONata"
    return jsonata and all(
        state.get("Type") in KNOWN_TYPES and "QueryLanguage" not in state for state in states
    )


def walk(definition: Mapping[str, Any], journey: Journey, integrations: Integrations) -> None:
    """Take the execution from where it is to its end, unless it is stopped on the way."""
    try:
        while journey.is_running():
            name, state_input = journey.position()
            if name is None:
                journey.succeed(state_input)
                return
            state = definition["States"][name]
            output, following = _run_state(
                state, state_input, journey.enter(name, state, state_input), integrations
            )
            if journey.is_running():
                journey.leave(name, state, output, following)
    except TaskError as failure:
        if journey.is_running():
            journey.fail(failure)


def _run_state(
    state: Mapping[str, Any], state_input: Any, execution: Execution, integrations: Integrations
) -> tuple[Any, str | None]:
    match state["Type"]:
        case "Task":
            return run_task(state, execution, integrations)
        case "Choice":
            return _choose(state, state_input, execution)
        case "Fail":
            raise TaskError(*(str(execution.evaluate(state.get(field, ""))) for field in ("Error", "Cause")))
        case "Wait" if "Seconds" in state:
            execution.sleep(float(execution.evaluate(state["Seconds"])))
    output = execution.evaluate(state["Output"]) if "Output" in state else state_input
    execution.assign(state, result=output)
    return output, state.get("Next")


def _choose(state: Mapping[str, Any], state_input: Any, execution: Execution) -> tuple[Any, str]:
    for choice in state["Choices"]:
        if execution.evaluate(choice["Condition"]) is True:
            output = execution.evaluate(choice["Output"]) if "Output" in choice else state_input
            execution.assign(choice)
            return output, choice["Next"]
    if "Default" not in state:
        raise TaskError("States.NoChoiceMatched", "No choice rule matched and the state has no Default.")
    output = execution.evaluate(state["Output"]) if "Output" in state else state_input
    execution.assign(state)
    return output, state["Default"]
