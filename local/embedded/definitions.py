"""Why CreateStateMachine and UpdateStateMachine refuse a definition: unknown resources and fields.

The emulator itself checks the rest, such as the syntax of JSONata.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from local.embedded import sdk
from local.embedded.optimized import unknown_fields
from local.embedded.resources import NOT_SERVED, Resource, not_recognized, read_resource


def find_problem(definition: Mapping[str, Any]) -> str:
    """The first problem for which Step Functions would refuse it, in its words; "" if there is none."""
    for path, state in _tasks(definition.get("States"), "/States"):
        resource = read_resource(str(state.get("Resource", "")))
        if resource is None:
            return _refused(not_recognized(str(state.get("Resource"))), f"{path}/Resource")
        for given in ("Arguments", "Parameters"):
            for field in _unknown(resource, _without_paths(state.get(given))):
                return _refused(f'The field "{field}" is not supported by Step Functions', f"{path}/{given}")
    return ""


def _refused(what: str, path: str) -> str:
    return f"Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: {what} at {path}'"


def _tasks(states: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every Task state, including those in branches and iterations, and the path to each."""
    for name, state in states.items() if isinstance(states, dict) else ():
        here = f"{path}/{name}"
        if state.get("Type") == "Task":
            yield here, state
        for number, branch in enumerate(state.get("Branches", [])):
            yield from _tasks(branch.get("States"), f"{here}/Branches[{number}]/States")
        for inner in ("ItemProcessor", "Iterator"):
            yield from _tasks(state.get(inner, {}).get("States"), f"{here}/{inner}/States")


def _unknown(resource: Resource, arguments: Any) -> list[str]:
    if resource.is_sdk:
        operation = sdk.operation(resource.service, resource.action)
        shape = operation.input_shape if operation else None
        return list(sdk.unknown_members(shape, arguments, sdk.sdk_name))
    if not resource.action or resource.service in NOT_SERVED:
        return []
    return unknown_fields(resource.service, resource.action, arguments)


def _without_paths(template: Any) -> Any:
    """Parameters with the final names of their fields: `Name.$` becomes `Name`."""
    if isinstance(template, dict):
        return {name.removesuffix(".$"): _without_paths(value) for name, value in template.items()}
    return [_without_paths(item) for item in template] if isinstance(template, list) else template
