"""A state machine's graph: its states, and how one leads to another. It reads the Amazon States Language."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NEXT, CHOICE, CATCH = "next", "choice", "catch"


@dataclass(frozen=True)
class State:
    """A state; one of type Parallel or Map contains further graphs."""

    name: str
    type: str
    resource: str = ""
    inner: tuple["Graph", ...] = ()

    @property
    def waits(self) -> bool:
        """Whether the state itself does nothing but wait."""
        return self.type == "Wait" or self.resource.endswith(".waitForTaskToken")


@dataclass(frozen=True)
class Edge:
    """A way from one state to another."""

    source: str
    target: str
    kind: str = NEXT


@dataclass(frozen=True)
class Graph:
    """States in the order of the definition, the first one to run first; one edge for each pair and kind."""

    states: tuple[State, ...]
    edges: tuple[Edge, ...]


def read_graph(definition: Mapping[str, Any]) -> Graph:
    """The graph of a state machine, a branch or an iteration."""
    states: Mapping[str, Any] = definition.get("States", {})
    start = definition.get("StartAt")
    names = sorted(states, key=lambda name: name != start)
    edges = (edge for name in names for edge in _edges(name, states[name]) if edge.target in states)
    return Graph(tuple(_state(name, states[name]) for name in names), tuple(dict.fromkeys(edges)))


def find_state(definition: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """The definition of a state, wherever in the machine it is."""
    for own, state in definition.get("States", {}).items():
        if own == name:
            return dict(state)
        for inner in _inner(state):
            if found := find_state(inner, name):
                return found
    return None


def _inner(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    processor = state.get("ItemProcessor") or state.get("Iterator")
    return [*state.get("Branches", []), *([processor] if processor else [])]


def _state(name: str, state: Mapping[str, Any]) -> State:
    # arn:aws:states:::lambda:invoke.waitForTaskToken is lambda:invoke.waitForTaskToken.
    resource = str(state.get("Resource", "")).removeprefix("arn:aws:states:::")
    return State(name, str(state.get("Type", "")), resource, tuple(map(read_graph, _inner(state))))


def _edges(name: str, state: Mapping[str, Any]) -> Iterator[Edge]:
    if following := state.get("Next"):
        yield Edge(name, following)
    for choice in state.get("Choices", []):
        yield Edge(name, str(choice.get("Next")), CHOICE)
    if default := state.get("Default"):
        yield Edge(name, default, CHOICE)
    for catcher in state.get("Catch", []):
        yield Edge(name, str(catcher.get("Next")), CATCH)
