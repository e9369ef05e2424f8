"""The answer to a request, as every image gives it."""

from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from common.answering import answer, make_transform_fn
from common.serving import BadRequest, UnacceptableType, UnsupportedContentType, UnusableModel


class TooLong(BadRequest):
    """A workload may have mistakes of its own."""


def workload(failure: Exception | None = None, step: str = "input_fn") -> ModuleType:
    """An inference.py that counts, and fails in one of its functions."""

    def fail(*_: object) -> Any:
        raise failure or AssertionError

    functions = {
        "input_fn": lambda body, content_type: (body, content_type),
        "predict_fn": lambda data, model: [*data, model],
        "output_fn": lambda predicted, accept: (f"{predicted}", accept),
    }
    return cast(ModuleType, SimpleNamespace(**functions | ({step: fail} if failure else {})))


class Context:
    """The part of TorchServe's context that is used."""

    def __init__(self) -> None:
        self.status: tuple[int, str] | None = None

    def set_response_status(self, code: int, phrase: str) -> None:
        self.status = code, phrase


def test_the_functions_of_the_workload_make_the_answer() -> None:
    found = answer(workload(), "model", b"body", "text/csv", "")
    assert (found.status, found.content_type) == (200, "*/*")
    assert found.body == "[b'body', 'text/csv', 'model']"


@pytest.mark.parametrize("step", ["input_fn", "predict_fn", "output_fn"])
@pytest.mark.parametrize(
    ("mistake", "status", "phrase"),
    [
        (BadRequest("record 1: is empty"), 400, "Bad Request"),
        (TooLong("record 2: is too long"), 400, "Bad Request"),
        (UnsupportedContentType("send text/csv"), 415, "Unsupported Media Type"),
        (UnacceptableType("accept text/csv"), 406, "Not Acceptable"),
    ],
)
def test_a_callers_mistake_is_answered_with_its_reason_through_the_toolkit(
    mistake: Exception, status: int, phrase: str, step: str
) -> None:
    context = Context()
    body = make_transform_fn(workload(mistake, step))("model", b"", "text/csv", "*/*", context)
    assert (body, context.status) == ((str(mistake), "text/plain; charset=utf-8"), (status, phrase))


@pytest.mark.parametrize("failure", [ZeroDivisionError("by zero"), UnusableModel("predicts no numbers")])
def test_a_failure_of_the_model_is_in_the_log_and_nowhere_else(
    failure: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    context = Context()
    body, _ = make_transform_fn(workload(failure, "predict_fn"))("model", b"", "text/csv", "*/*", context)
    assert (body, context.status) == (
        "the model failed; its log says why",
        (500, "Internal Server Error"),
    )
    assert str(failure) in capsys.readouterr().err


def test_the_toolkit_gets_the_body_and_its_type() -> None:
    context = Context()
    body = make_transform_fn(workload())("model", "body", "text/csv", "application/json", context)
    assert body == ("['body', 'text/csv', 'model']", "application/json")
    assert context.status == (200, "OK")
