"""The images' handling of a script's functions, called in this process."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xgboost

from local.sagemaker.engines.serving import script_mode
from local.sagemaker.engines.serving.wsgi_client import Application, ask
from local.sagemaker.engines.serving.xgboost_csv import DEFAULTS

Serve = Callable[[str], Application]
_names = (f"script_of_a_test_{number}" for number in itertools.count())
MODEL = "def model_fn(folder): return 2\n"
DOUBLE = (
    MODEL + "def input_fn(body, content_type): return [float(line) for line in body.split()]\n"
    "def predict_fn(data, model): return [model * number for number in data]\n"
)
ECHO = MODEL + "def transform_fn(*given): return repr(given[1:]).encode(), given[3]\n"


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    monkeypatch.syspath_prepend(tmp_path)

    def application(source: str, defaults: script_mode.Defaults = DEFAULTS) -> Application:
        name = next(_names)
        (tmp_path / f"{name}.py").write_text(source)
        return script_mode.application(name, tmp_path, defaults)

    return application


def invoke(
    served: Application, body: str | bytes, content_type: str = "", accept: str = ""
) -> tuple[int, bytes]:
    given = {"Content-Type": content_type, "Accept": accept}
    headers = {name: value for name, value in given.items() if value}
    content = body.encode() if isinstance(body, str) else body
    status, _, answer = ask(served, "POST", "/invocations", content, headers)
    return status, answer


def test_the_functions_of_a_script_answer_one_after_the_other(serve: Serve) -> None:
    served = serve(DOUBLE)
    assert ask(served, "GET", "/ping")[::2] == (200, b"")
    assert invoke(served, "1\n2", "text/csv", "text/csv") == (200, b"2.0\n4.0\n")


@pytest.mark.parametrize(
    ("body", "content_type", "accept", "seen"),
    [
        ("a", "text/csv", "text/csv", "('a', 'text/csv', 'text/csv')"),
        (b"\xff", "image/png", "*/*", "(b'\\xff', 'image/png', 'application/json')"),
        ("a", "text/csv; charset=utf-8", "", "(b'a', 'text/csv; charset=utf-8', 'application/json')"),
        ("{}", "", "", "('{}', 'application/json', 'application/json')"),
    ],
)
def test_a_script_gets_text_or_bytes_and_types_have_defaults(
    serve: Serve, body: str | bytes, content_type: str, accept: str, seen: str
) -> None:
    assert invoke(serve(ECHO), body, content_type, accept) == (200, seen.encode())


@pytest.mark.parametrize(
    ("accept", "answer"), [("application/json", b"[0.10000000149011612]"), ("text/csv", b"0.1\n")]
)
def test_numbers_are_written_as_the_images_write_them(serve: Serve, accept: str, answer: bytes) -> None:
    served = serve(MODEL + "import numpy\ndef predict_fn(data, model): return numpy.float32([0.1])")
    assert invoke(served, "1,2", "text/csv", accept) == (200, answer)


def test_the_xgboost_image_reads_csv_for_a_script_that_does_not(serve: Serve) -> None:
    served = serve(
        MODEL + "def predict_fn(data, model): return [data.num_row(), data.num_col(), data.num_nonmissing()]"
    )
    assert invoke(served, "1,2,3\n4,,6\n", "text/csv") == (200, b"[2, 3, 5]")


def test_the_scikit_learn_image_reads_and_predicts_for_a_script_that_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "sums_of_a_test.py").write_text(
        "class Model:\n"
        "    def predict(self, rows): return rows.sum(axis=1)\n"
        "def model_fn(folder): return Model()\n"
    )
    served = script_mode.application("sums_of_a_test", tmp_path, script_mode.SCIKIT_LEARN)
    assert invoke(served, "1,2\n3,4\n", "text/csv", "text/csv") == (200, b"3.0\n7.0\n")
    assert invoke(served, "[[1, 2]]") == (200, b"[3.0]")
    # One row comes without its second dimension, as it does in the image.
    assert invoke(served, "1,2\n", "text/csv", "text/csv")[0] == 500


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import nothing_like_it", "No module named 'nothing_like_it'"),
        ("def predict_fn(data, model): pass", "Please provide a model_fn"),
        (DOUBLE + "def transform_fn(*_): pass", "Cannot use transform_fn"),
        ("def model_fn(folder): raise OSError('no weights')", "no weights"),
    ],
)
def test_a_script_that_does_not_load_fails_at_every_ping(serve: Serve, script: str, reason: str) -> None:
    served = serve(script)
    for _ in range(2):
        with pytest.raises(Exception, match=reason):
            ask(served, "GET", "/ping")


@pytest.mark.parametrize(
    ("script", "content_type", "reason"),
    [
        (DOUBLE, "text/csv", "could not convert string to float: 'one'"),
        (DOUBLE + "def output_fn(*_): return {1}", "text/csv", "could not convert"),
        (MODEL + "def transform_fn(*_): return 5", "text/csv", "transform_fn returned int; expected str"),
        (MODEL, "text/libsvm", "content type text/libsvm is not supported locally"),
    ],
)
def test_a_failure_is_in_the_log_but_not_in_the_answer(
    serve: Serve, script: str, content_type: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(serve(script), "one", content_type) == (500, b"Internal Server Error")
    assert reason in capsys.readouterr().err


def test_a_booster_needs_no_function_but_the_one_that_loads_it(serve: Serve, tmp_path: Path) -> None:
    rows = np.arange(12, dtype=float).reshape(6, 2)
    booster = xgboost.train({}, xgboost.DMatrix(rows, label=rows[:, 0]), num_boost_round=5)
    booster.save_model(tmp_path / "model.ubj")
    served = serve(
        "import xgboost\ndef model_fn(folder): return xgboost.Booster(model_file=folder + '/model.ubj')"
    )
    expected = booster.predict(xgboost.DMatrix(rows)).tolist()
    body = "\n".join(",".join(map(str, row)) for row in rows)
    assert invoke(served, body, "text/csv") == (200, repr(expected).encode())
