"""The PyTorch image's server as a caller sees it, with scripts that need no PyTorch."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.sagemaker.engines.serving import torchserve
from local.sagemaker.engines.serving.wsgi_client import Application, ask

JSON = {"Content-Type": "application/json"}
FOUR = """
def model_fn(folder): return (open(folder + "/weight.txt").read())
def input_fn(body, content_type):
    if content_type == "text/csv": raise ValueError("columns are missing")
    return body
def predict_fn(data, model): return f"{data!r} {model}"
def output_fn(prediction, accept): return prediction, accept
"""
WITH_CONTEXT = """
def model_fn(folder, context): return context.system_properties["model_dir"]
def transform_fn(model, body, content_type, accept, context): return [model == context.system_properties["model_dir"], accept]
"""
SAYS_NO = """
def model_fn(folder): return None
def transform_fn(model, body, content_type, accept, context):
    if body == b"bad": context.set_response_status(400, "Bad Request")
    if body == b"worse": raise ValueError("worse")
    return body, "text/plain"
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A model's folder; modules that its script imports are forgotten afterwards."""
    (tmp_path / "model/code").mkdir(parents=True)
    (tmp_path / "model/weight.txt").write_text("7")
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path / "model"
    for name in set(sys.modules) - before:
        del sys.modules[name]


def serve(model: Path, script: str, name: str = "inference.py") -> Application:
    (model / "code" / name).write_text(script)
    return torchserve.start(model.parent, isolated=True)


def invoke(application: Application, body: bytes, **headers: str) -> tuple[int, bytes]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status, _, answer = ask(application, "POST", "/invocations", body, named)
    return status, answer


def test_the_functions_of_the_script_make_the_answer(model: Path) -> None:
    application = serve(model, FOUR)

    assert ask(application, "GET", "/ping")[0] == 200
    # Text of the two types that are text, bytes of any other.
    assert invoke(application, b"[1]", Content_Type="application/json") == (200, b"'[1]' 7")
    assert invoke(application, b"[1]", Content_Type="application/jsonlines") == (200, b"b'[1]' 7")


def test_an_error_in_a_function_is_a_500_with_its_message_and_traceback(model: Path) -> None:
    status, body = invoke(serve(model, FOUR), b"1", Content_Type="text/csv")

    message, *trace = body.decode().splitlines()
    assert (status, message) == (500, "columns are missing")
    assert trace[0] == "Traceback (most recent call last):"


def test_functions_may_take_the_context_and_answer_with_anything(model: Path) -> None:
    status, body = invoke(serve(model, WITH_CONTEXT), b"x", Accept="text/csv")

    assert (status, json.loads(body)) == (200, [True, "text/csv"])


def test_a_status_that_is_set_in_the_context_is_that_of_one_answer(model: Path) -> None:
    application = serve(model, SAYS_NO)

    assert invoke(application, b"bad") == (400, b"bad")
    assert invoke(application, b"good") == (200, b"good")
    assert invoke(application, b"worse")[0] == 500


def test_the_program_may_have_another_name(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGEMAKER_PROGRAM", "serve_it.py")

    assert invoke(serve(model, FOUR, "serve_it.py"), b"1", Content_Type="application/json")[0] == 200


@pytest.mark.parametrize(
    "script",
    [
        "def model_fn(folder): raise RuntimeError('no such weights')",
        f"{FOUR}\ndef transform_fn(model, body, content_type, accept): return body",
        "import no_such_library",
        "def model_fn(): return 1",
    ],
)
def test_a_server_without_its_model_answers_only_pings(
    model: Path, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    application = serve(model, script)

    assert ask(application, "GET", "/ping")[0] == 200
    status, body = invoke(application, b"1", Content_Type="application/json")
    assert status == 503
    assert json.loads(body)["type"] == "ServiceUnavailableException"
    assert "Load model failed" in capsys.readouterr().err


def test_bodies_have_the_limits_of_torchserve(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    application = serve(model, FOUR)
    body = b"x" * (torchserve.LARGEST_BODY + 1)

    assert invoke(application, body, Content_Type="application/json")[0] == 413
    assert invoke(application, body[: torchserve.LARGEST_BODY], Content_Type="application/json")[0] == 500
    monkeypatch.setenv("TS_MAX_REQUEST_SIZE", "1")
    assert invoke(application, b"xx", Content_Type="application/json")[0] == 413


def test_requirements_that_cannot_be_met_keep_the_server_from_starting(model: Path) -> None:
    (model / "code/requirements.txt").write_text("no-such-library\n")

    with pytest.raises(ValueError, match="failed to install required packages"):
        serve(model, FOUR)


def test_another_path_is_not_found(model: Path) -> None:
    assert ask(serve(model, FOUR), "GET", "/models")[0] == 404
