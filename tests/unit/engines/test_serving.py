"""A model folder served to a folder of requests, by real processes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xgboost

from local.sagemaker.engines.processes import Command, Exit

if TYPE_CHECKING:
    from tests.unit.engines.conftest import Run, Runner

pytestmark = [
    pytest.mark.enable_socket,
    # A model's file has no suffix in SageMaker.
    pytest.mark.filterwarnings("ignore:.*UBJSON:UserWarning"),
]

OK = Exit(0, "exited")
DOUBLE = """
def model_fn(folder): return 2
def input_fn(body, content_type): return [float(line) for line in body.split()]
def predict_fn(data, model): return [model * number for number in data]
"""


class Transform:
    """One batch transform: its folders, and a way to run it."""

    def __init__(self, runner: Runner, folder: Path) -> None:
        self.runner = runner
        self.root = folder / "ml"
        self.requests = folder / "requests"
        self.responses = folder / "responses"
        (self.root / "model/code").mkdir(parents=True)
        self.requests.mkdir()

    def run(
        self,
        bodies: dict[str, str | bytes],
        script: str | None = None,
        *,
        content_type: str = "text/csv",
        accept: str = "text/csv",
        env: dict[str, str] | None = None,
    ) -> Run:
        for name, body in bodies.items():
            (self.requests / name).write_bytes(body if isinstance(body, bytes) else body.encode())
        environment = dict(env or {})
        if script is not None:
            (self.root / "model/code/inference.py").write_text(script)
            environment.setdefault("SAGEMAKER_PROGRAM", "inference.py")
        folders = (str(self.root), str(self.requests), str(self.responses))
        argv = ("-m", "local.sagemaker.engines.serving", *folders, content_type, accept)
        command = Command(argv, environment, self.root, frozenset({"local", "pytest"}))
        return self.runner.spawn(command)

    def answers(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.responses.iterdir())}

    def failure(self) -> str:
        return (self.root / "output/failure").read_text()


@pytest.fixture
def transform(runner: Runner, tmp_path: Path) -> Transform:
    return Transform(runner, tmp_path)


def train(path: Path) -> xgboost.Booster:
    features = np.arange(12, dtype=float).reshape(6, 2)
    data = xgboost.DMatrix(features, label=[1, 2, 3, 4, 5, 6])
    booster = xgboost.train({"objective": "reg:squarederror"}, data, num_boost_round=5)
    booster.save_model(path)
    return booster


def test_each_request_gets_the_response_of_the_same_name(transform: Transform) -> None:
    run = transform.run({"00": "1\n2\n", "01": "3"}, DOUBLE)

    assert run.wait() == OK, run.lines
    assert transform.answers() == {"00": b"2.0\n4.0\n", "01": b"6.0\n"}
    assert not (transform.root / "output").exists()


def test_a_script_finds_its_model_its_neighbours_and_nothing_of_this_project(transform: Transform) -> None:
    (transform.root / "model/weights.txt").write_text("7")
    (transform.root / "model/code/neighbour.py").write_text("FACTOR = 10")
    script = """
import importlib.util, pathlib
import neighbour
def model_fn(folder):
    return int((pathlib.Path(folder) / "weights.txt").read_text()) * neighbour.FACTOR
def transform_fn(model, body, content_type, accept):
    try:
        import local
    except ModuleNotFoundError as error:
        return f"{model} {type(body).__name__} {content_type} {accept} {error}", accept
"""
    run = transform.run({"a": "1,2"}, script)

    assert run.wait() == OK, run.lines
    assert transform.answers() == {"a": b"70 str text/csv text/csv No module named 'local'"}


def test_the_submit_directory_may_be_another_folder(transform: Transform, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/serve.py").write_text(DOUBLE)
    env = {"SAGEMAKER_PROGRAM": "serve.py", "SAGEMAKER_SUBMIT_DIRECTORY": str(tmp_path / "elsewhere")}

    assert transform.run({"a": "4"}, env=env).wait() == OK
    assert transform.answers() == {"a": b"8.0\n"}


def test_bodies_that_are_no_csv_or_json_come_as_bytes_and_types_have_defaults(transform: Transform) -> None:
    script = """
def model_fn(folder): return None
def input_fn(body, content_type): return [type(body).__name__, content_type]
def predict_fn(data, model): return data
def output_fn(prediction, accept): return repr([*prediction, accept]).encode()
"""
    assert transform.run({"a": b"\xff"}, script, content_type="image/png", accept="").wait() == OK
    assert transform.answers() == {"a": b"['bytes', 'image/png', 'application/json']"}


def test_what_a_script_leaves_out_is_done_by_the_image(transform: Transform) -> None:
    booster = train(transform.root / "model/xgboost-model")
    script = """
import pathlib, xgboost
def model_fn(folder):
    return xgboost.Booster(model_file=pathlib.Path(folder) / "xgboost-model")
"""
    run = transform.run({"a": "0,1\n10,\n"}, script, accept="application/json")

    assert run.wait() == OK, run.lines
    expected = booster.predict(xgboost.DMatrix(np.array([[0.0, 1.0], [10.0, np.nan]]))).tolist()
    assert transform.answers() == {"a": repr(expected).encode()}


def test_the_built_in_algorithm_answers_with_a_prediction_a_line(transform: Transform) -> None:
    booster = train(transform.root / "model/xgboost-model")
    (transform.root / "model/.DS_Store").write_text("ignored")

    assert transform.run({"a": "0,1\n10,\n", "b": "\n"}).wait() == OK
    expected = booster.predict(xgboost.DMatrix(np.array([[0.0, 1.0], [10.0, np.nan]]))).tolist()
    assert transform.answers() == {"a": f"{expected[0]}\n{expected[1]}\n".encode(), "b": b""}


def test_a_failure_names_the_request_and_the_reason_and_keeps_what_was_done(transform: Transform) -> None:
    run = transform.run({"00": "1", "01": "2\nthree", "02": "4"}, DOUBLE)

    assert run.wait() == Exit(1, "exited")
    assert transform.failure() == "request 01: ValueError: could not convert string to float: 'three'"
    assert transform.answers() == {"00": b"2.0\n"}
    assert run.lines[0] == "Traceback (most recent call last):"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "import nothing_like_it",
            "loading the model: ModuleNotFoundError: No module named 'nothing_like_it'",
        ),
        (
            "def predict_fn(data, model): pass",
            "loading the model: NotImplementedError: Please provide a model_fn",
        ),
        (DOUBLE + "def transform_fn(*_): pass", "loading the model: ValueError: Cannot use transform_fn"),
        (
            DOUBLE + "def output_fn(*_): return {'a': 1}",
            "request a: TypeError: output_fn returned dict; expected str",
        ),
        (DOUBLE + "import sys\ndef output_fn(*_): sys.exit('enough')", "request a: SystemExit: enough"),
        (
            "def model_fn(folder): pass",
            "request a: AttributeError: 'NoneType' object has no attribute 'predict'",
        ),
        (
            None,
            "loading the model: ValueError: expected one model at the top of the model archive, found nothing",
        ),
    ],
)
def test_every_way_to_fail_says_what_failed(transform: Transform, script: str | None, reason: str) -> None:
    assert transform.run({"a": "1 2"}, script).wait() == Exit(1, "exited")
    assert transform.failure().startswith(reason)


def test_a_program_that_is_not_in_the_archive_is_named(transform: Transform) -> None:
    assert transform.run({"a": "1"}, env={"SAGEMAKER_PROGRAM": "serve.py"}).wait() == Exit(1, "exited")
    assert "SAGEMAKER_PROGRAM is serve.py, and there is no such script in" in transform.failure()


@pytest.mark.parametrize(
    ("content_type", "accept", "reason"),
    [
        ("text/libsvm", "text/csv", "content type text/libsvm is not supported locally"),
        ("text/csv", "application/jsonlines", "accept type application/jsonlines is not supported locally"),
    ],
)
def test_types_that_the_built_in_algorithm_cannot_serve_here_are_refused(
    transform: Transform, content_type: str, accept: str, reason: str
) -> None:
    train(transform.root / "model/xgboost-model")

    assert transform.run({"a": "1,2"}, content_type=content_type, accept=accept).wait() == Exit(1, "exited")
    assert reason in transform.failure()
