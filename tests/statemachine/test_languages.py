"""JSONata expressions are parsed once, which their values do not show."""

import itertools
import time
from typing import Any

import pytest

from local.embedded.seams.languages import Jsonata
from local.embedded.task_errors import TaskError

# With a function of its own, a path, a sort and a regular expression: whatever a tree could keep of an evaluation.
EXPRESSION = (
    "{% ($twice := function($n) { $n * $factor }; $sorted := $states.input.rows^(>n); "
    "{'n': $twice($sorted[0].n), 'names': $sorted.name, 'split': $split($name, /-/)}) %}"
)


def value(rows: list[dict[str, Any]], **variables: Any) -> Any:
    return Jsonata({"rows": rows}, {"variables": variables}).evaluate(EXPRESSION)


def test_an_expression_has_the_value_of_its_input_and_variables_each_time() -> None:
    few, more = [{"n": 1, "name": "x"}], [{"n": 3, "name": "y"}, {"n": 5, "name": "z"}]
    expected = {"n": 2, "names": "x", "split": ["a", "b"]}
    assert value(few, factor=2, name="a-b") == expected
    assert value(more, factor=10, name="c") == {"n": 50, "names": ["z", "y"], "split": ["c"]}
    assert value(few, factor=2, name="a-b") == expected


def test_an_expression_is_parsed_once() -> None:
    from jsonata.jsonata import Jsonata as Engine

    assert Engine("$a + 1").ast is Engine("$a + 1").ast


def test_an_invalid_expression_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(TaskError, match="S0203"):
            Jsonata({}, {}).evaluate("{% (1 + %}")


def test_an_expression_may_wait_for_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    hours = itertools.count(time.time(), 3600)
    monkeypatch.setattr(time, "time", lambda: next(hours))
    assert value([{"n": 1, "name": "x"}], factor=2, name="a-b")["n"] == 2


def test_an_expression_that_computes_for_ever_is_ended() -> None:
    with pytest.raises(TaskError, match="D1012"):
        Jsonata({}, {}).evaluate("{% ($again := function() { $again() }; $again()) %}")


def test_an_expression_of_a_few_long_steps_is_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    hours = itertools.count(0, 3600)
    monkeypatch.setattr(time, "thread_time", lambda: next(hours))
    with pytest.raises(TaskError, match="D1012"):
        Jsonata({}, {}).evaluate("{% 1 + 1 %}")
