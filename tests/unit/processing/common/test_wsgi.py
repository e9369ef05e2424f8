"""The bundle's own server, called through a checker of both sides of WSGI."""

import importlib.util
import io
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any
from wsgiref.validate import validator

import pytest

from auto_mpg import inference
from auto_mpg.inference import input_fn, output_fn, predict_fn
from tests.unit.processing.conftest import WITHOUT_PANDAS

ROW = "8,307,130,3504,12,70,1,chevrolet chevelle malibu"


@pytest.fixture
def wsgi(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as the image's server imports it, beside the bundle's own `inference`."""
    monkeypatch.setitem(sys.modules, "inference", load(bundle / "code/inference.py"))
    return load(bundle / "code/wsgi.py")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Answer:
    status = ""
    headers: dict[str, str]
    body = ""


def ask(wsgi: ModuleType, method: str, path: str, body: bytes = b"", **environ: Any) -> Answer:
    answer = Answer()

    def start_response(
        status: str, headers: list[tuple[str, str]], _: object = None
    ) -> Callable[..., object]:
        answer.status, answer.headers = status, dict(headers)
        return lambda _: None

    given = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    } | environ
    chunks: Iterable[bytes] = validator(wsgi.main)(
        {name: value for name, value in given.items() if value is not None}, start_response
    )
    try:
        answer.body = b"".join(chunks).decode()
    finally:
        chunks.close()  # type: ignore[attr-defined]
    return answer


def invoke(wsgi: ModuleType, body: bytes, content_type: str = "text/csv", **environ: Any) -> Answer:
    return ask(wsgi, "POST", "/invocations", body, CONTENT_TYPE=content_type, **environ)


def test_the_ping_is_answered(wsgi: ModuleType) -> None:
    answer = ask(wsgi, "GET", "/ping")
    assert (answer.status, answer.body) == ("200 OK", "")


@pytest.mark.parametrize("accept", [None, "*/*", "text/csv", "application/json"])
def test_predictions_are_those_of_the_functions_that_were_evaluated(
    wsgi: ModuleType, bundle: Path, accept: str | None
) -> None:
    model = inference.model_fn(str(bundle))
    body, content_type = output_fn(
        predict_fn(input_fn(f"{ROW}\n{ROW}\n", "text/csv"), model), accept or "*/*"
    )

    answer = invoke(wsgi, f"{ROW}\n{ROW}\n".encode(), HTTP_ACCEPT=accept)

    assert (answer.status, answer.body, answer.headers["Content-Type"]) == ("200 OK", body, content_type)
    assert int(answer.headers["Content-Length"]) == len(body)


def test_a_body_without_a_length_is_read_to_its_end(wsgi: ModuleType) -> None:
    chunked: dict[str, Any] = {"CONTENT_LENGTH": None, "wsgi.input_terminated": True}
    assert invoke(wsgi, ROW.encode(), **chunked).body == invoke(wsgi, ROW.encode()).body


@pytest.mark.parametrize(
    ("body", "content_type", "accept", "status", "reason"),
    [
        (b"", "text/csv", "text/csv", "400 Bad Request", "record 1: is empty; expected 8"),
        (f"{ROW}\n1,2".encode(), "text/csv", "text/csv", "400 Bad Request", "record 2: has 2 fields"),
        (b"\xff", "text/csv", "text/csv", "400 Bad Request", "the body is not encoded in UTF-8"),
        (
            b"{}",
            "application/json",
            "*/*",
            "415 Unsupported Media Type",
            "content type application/json is not",
        ),
        (ROW.encode(), "text/csv", "image/png", "406 Not Acceptable", "image/png cannot be given; accept"),
    ],
)
def test_a_callers_mistake_is_explained_to_the_caller(
    wsgi: ModuleType, body: bytes, content_type: str, accept: str, status: str, reason: str
) -> None:
    answer = invoke(wsgi, body, content_type, HTTP_ACCEPT=accept)
    assert (answer.status, answer.body[: len(reason)]) == (status, reason)
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_a_failure_of_the_model_is_in_the_log_and_nowhere_else(
    wsgi: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(inference, "predict_fn", lambda *_: 1 / 0)
    answer = invoke(wsgi, ROW.encode())
    assert answer.status == "500 Internal Server Error"
    assert "division" not in answer.body
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/invocations", "405 Method Not Allowed"), ("GET", "/execution-parameters", "404 Not Found")],
)
def test_other_paths_and_methods_are_refused(wsgi: ModuleType, method: str, path: str, status: str) -> None:
    assert ask(wsgi, method, path).status == status


def test_a_model_that_is_not_the_evaluated_one_does_not_start(bundle: Path) -> None:
    """Started as the image starts it, with nothing in the path but the bundle's own code."""
    (bundle / "xgboost-model").write_bytes((bundle / "xgboost-model").read_bytes() + b" ")
    started = subprocess.run(
        [sys.executable, "-c", f"{WITHOUT_PANDAS}; import wsgi"],
        cwd=bundle / "code",
        env={"MODEL_FILES_DIGEST": f"sha256:{0:064}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert started.returncode == 1
    assert started.stderr.endswith("UnusableModel: its files are not those that were evaluated\n")
