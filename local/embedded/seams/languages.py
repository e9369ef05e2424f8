"""The two query languages of Step Functions, as ministack evaluates them."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from local.embedded.task_errors import TaskError

# More than any definition has.
EXPRESSIONS_KEPT = 4096
# Steps of an evaluation from one look at the clock to the next: a look takes longer than a step.
STEPS_PER_LOOK = 64


def install_parsed_expressions() -> None:
    """Parse a JSONata expression once, and not at each evaluation: that took half of an execution's time.

    Evaluation only reads the tree. Errors are not kept.
    """
    from jsonata.jsonata import Jsonata as Engine
    from jsonata.parser import Parser

    parse = Parser.parse

    @lru_cache(EXPRESSIONS_KEPT)
    def parsed(*expression: Any) -> Any:
        return parse(Engine.get_parser(), *expression)

    Parser.parse = lambda parser, *expression: parsed(*expression)


def install_time_limit() -> None:
    """Limit what an evaluation computes, not how long it waits for a busy machine."""
    from jsonata import timebox
    from jsonata.jexception import JException

    class Limit(timebox.Timebox):  # type: ignore[misc]
        def __init__(self, frame: Any, timeout: int | None = None, max_depth: int | None = None) -> None:
            self._limit, self._started, self._steps = timeout, time.thread_time(), 0
            super().__init__(frame, None, max_depth)

        def check_runaway(self) -> None:
            super().check_runaway()
            self._steps += 1
            # The last step, which leaves no depth, is always one to look after.
            if self._limit is None or (self.depth and self._steps % STEPS_PER_LOOK):
                return
            if (time.thread_time() - self._started) * 1000 > self._limit:
                raise JException("D1012", -1, self._limit)

    timebox.Timebox = Limit


class Jsonata:
    """Evaluates a JSONata state, with this input and these variables."""

    def __init__(self, state_input: Any, context: dict[str, Any]) -> None:
        self._input = state_input
        self._context = context

    def arguments(self, state: Mapping[str, Any]) -> Any:
        return self.evaluate(state["Arguments"]) if "Arguments" in state else self._input

    def output(self, state: Mapping[str, Any], result: Any) -> Any:
        output = self.evaluate(state["Output"], result=result) if "Output" in state else result
        self.assign(state, result=result)
        return output

    def caught(self, catcher: Mapping[str, Any], error: Mapping[str, str]) -> Any:
        output = self.evaluate(catcher["Output"], error=error) if "Output" in catcher else error
        self.assign(catcher, error=error)
        return output

    def number(self, state: Mapping[str, Any], field: str) -> float | None:
        return float(self.evaluate(state[field])) if field in state else None

    def evaluate(self, template: Any, *, result: Any = None, error: Any = None) -> Any:
        from ministack.services import stepfunctions

        with as_task_error():
            return stepfunctions._apply_jsonata_template(template, self._input, self._context, result, error)

    def assign(self, holder: Mapping[str, Any], *, result: Any = None, error: Any = None) -> None:
        from ministack.services import stepfunctions

        # The holder may be a Catch or a choice, which names no language of its own.
        spoken = {**holder, "QueryLanguage": "JSONata"}
        with as_task_error():
            stepfunctions._apply_state_assign(spoken, self._input, self._context, result, error)


class JsonPath:
    """Evaluates a JSONPath state, with this input."""

    def __init__(self, state_input: Any, context: dict[str, Any]) -> None:
        self._input = state_input
        self._context = context

    def arguments(self, state: Mapping[str, Any]) -> Any:
        from ministack.services import stepfunctions as states

        with as_task_error():
            chosen = states._apply_input_path(state, self._input, self._context)
            if "Parameters" not in state:
                return chosen
            return states._resolve_params_obj(state["Parameters"], chosen, self._context)

    def output(self, state: Mapping[str, Any], result: Any) -> Any:
        from ministack.services import stepfunctions as states

        with as_task_error():
            selected = states._apply_result_selector(state, result)
            placed = states._apply_result_path(state, self._input, selected)
            return states._apply_output_path(state, placed, self._context)

    def caught(self, catcher: Mapping[str, Any], error: Mapping[str, str]) -> Any:
        from ministack.services import stepfunctions as states

        with as_task_error():
            return states._apply_result_path_raw(catcher.get("ResultPath", "$"), self._input, error)

    def number(self, state: Mapping[str, Any], field: str) -> float | None:
        from ministack.services import stepfunctions as states

        if field in state:
            return float(state[field])
        if f"{field}Path" not in state:
            return None
        with as_task_error():
            return float(states._resolve_path_or_ctx(state[f"{field}Path"], self._input, self._context))

    def step(self, state: Mapping[str, Any]) -> tuple[Any, str | None]:
        """Run a Pass, Choice, Wait or Succeed state, or raise a Fail state's error."""
        from ministack.services import stepfunctions as states

        run = {"Pass": states._execute_pass, "Choice": states._execute_choice, "Wait": states._execute_wait}
        with as_task_error():
            if state["Type"] == "Fail":
                raise TaskError(*states._fail_state_error(state, self._input, self._context))
            if state["Type"] == "Succeed":
                chosen = states._apply_input_path(state, self._input, self._context)
                return states._apply_output_path(state, chosen, self._context), None
            output, following = run[state["Type"]](state, self._input, self._context)
            return output, following


@contextmanager
def as_task_error() -> Iterator[None]:
    """Turn ministack's own execution error into a TaskError."""
    from ministack.services import stepfunctions

    try:
        yield
    except stepfunctions._ExecutionError as failure:
        raise TaskError(failure.error, failure.cause) from failure
