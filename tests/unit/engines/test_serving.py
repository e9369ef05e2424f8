"""A model folder served to a folder of requests, by real processes."""

from __future__ import annotations

import json
import site
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xgboost

from local.sagemaker.engines.images import find_image
from local.sagemaker.engines.processes import Command, Exit

if TYPE_CHECKING:
    from tests.unit.engines.conftest import Run, Runner

pytestmark = [
    pytest.mark.enable_socket,
    # A model's file has no suffix in SageMaker.
    pytest.mark.filterwarnings("ignore:.*UBJSON:UserWarning"),
]

OK, REFUSED = Exit(0, "exited"), Exit(1, "exited")
REGISTRY = "683313688378.dkr.ecr.us-east-1.amazonaws.com"
NOTHING = {"request": None, "status": None, "body": None}
SCRIPT = """
import pathlib, neighbour
def model_fn(folder): return int((pathlib.Path(folder) / "weights.txt").read_text()) * neighbour.FACTOR
def input_fn(body, content_type): return [float(line) for line in body.split()]
def predict_fn(data, model): return [model * number for number in data]
"""
SUM = """
import os, sys, local_is_hidden
STATUS = {"sum": "200 OK", "bad": "400 BAD REQUEST", "broken": "500 INTERNAL SERVER ERROR", "none": "204 NO CONTENT"}
def main(environ, start_response):
    if environ["PATH_INFO"] == "/ping":
        start_response(os.environ.get("PING", "200 OK"), [])
        return []
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
    word, _, rest = body.partition(" ")
    if word == "crash":
        raise ArithmeticError("too much")
    start_response(STATUS[word], [("Content-Type", "text/csv")])
    seen = (environ["REQUEST_METHOD"], environ["CONTENT_TYPE"], environ["HTTP_ACCEPT"])
    yield f"{rest} {seen}".encode() if word != "none" else b""
"""
WSGI = {"SAGEMAKER_SERVING_MODULE": "served:main"}


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
        bodies: dict[str, str],
        *,
        image: str = "sagemaker-xgboost:3.2-0",
        env: dict[str, str] | None = None,
        types: tuple[str, str] = ("text/csv", "text/csv"),
        network: str = "isolated",
    ) -> Run:
        for name, body in bodies.items():
            (self.requests / name).write_text(body)
        found = find_image(f"{REGISTRY}/{image}", "us-east-1")
        environment = {**found.variables, "SM_MODEL_DIR": str(self.root / "model"), **(env or {})}
        folders = (str(self.root), str(self.requests), str(self.responses))
        assert found.server is not None
        argv = (*found.server, *folders, *types, network)
        return self.runner.spawn(Command(argv, environment, self.root, found.hidden_modules))

    def serve_module(self, source: str = SUM) -> dict[str, str]:
        (self.root / "model/code/served.py").write_text(source)
        (self.root / "model/code/local_is_hidden.py").write_text(
            "try:\n import local\n raise SystemExit('local')\nexcept ModuleNotFoundError: pass"
        )
        return WSGI | {"SAGEMAKER_BASE_DIR": str(self.root / "model")}

    def serve_script(self) -> dict[str, str]:
        (self.root / "model/weights.txt").write_text("7")
        (self.root / "model/code/serve.py").write_text(SCRIPT)
        (self.root / "model/code/neighbour.py").write_text("FACTOR = 10")
        return {"SAGEMAKER_PROGRAM": "serve.py", "SAGEMAKER_SUBMIT_DIRECTORY": str(self.root / "model/code")}

    def answers(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.responses.iterdir())}

    def refused(self) -> Any:
        return json.loads((self.responses / "refused.json").read_text())


@pytest.fixture
def transform(runner: Runner, tmp_path: Path) -> Transform:
    return Transform(runner, tmp_path)


def train(path: Path) -> xgboost.Booster:
    features = np.arange(12, dtype=float).reshape(6, 2)
    data = xgboost.DMatrix(features, label=[1, 2, 3, 4, 5, 6])
    booster = xgboost.train({"objective": "reg:squarederror"}, data, num_boost_round=5)
    booster.save_model(path)
    return booster


def test_a_users_own_module_is_called_as_by_gunicorn(transform: Transform) -> None:
    run = transform.run({"00": "sum 3", "01": "none"}, env=transform.serve_module())

    assert run.wait() == OK, run.lines
    assert transform.answers() == {"00": b"3 ('POST', 'text/csv', 'text/csv')", "01": b""}
    # A base directory whose code folder is there already needs no other.
    assert not (transform.root / "code").exists()


def test_a_module_is_found_in_the_python_path_and_the_base_directory_is_made(
    transform: Transform, tmp_path: Path
) -> None:
    env = transform.serve_module() | {
        "SAGEMAKER_BASE_DIR": str(tmp_path / "base"),
        "PYTHONPATH": str(transform.root / "model/code"),
    }
    assert transform.run({"00": "sum 3"}, env=env).wait() == OK
    assert (tmp_path / "base/code").is_dir()


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ("bad row", {"request": "01", "status": 400, "body": "row ('POST', 'text/csv', 'text/csv')"}),
        ("crash", {"request": "01", "status": 500, "body": "Internal Server Error"}),
    ],
)
def test_an_unsuccessful_answer_is_kept_with_the_earlier_ones(
    transform: Transform, body: str, refused: dict[str, Any]
) -> None:
    run = transform.run({"00": "sum 1", "01": body, "02": "sum 2"}, env=transform.serve_module())

    assert run.wait() == REFUSED
    assert transform.refused() == refused
    assert sorted(transform.answers()) == ["00", "refused.json"]
    assert body != "crash" or run.lines[-1] == "ArithmeticError: too much"


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"PING": "503 SERVICE UNAVAILABLE"}, ""),
        ({"SAGEMAKER_SERVING_MODULE": "nowhere:main"}, "ModuleNotFoundError: No module named 'nowhere'"),
        ({"SAGEMAKER_SERVING_MODULE": "served:nothing"}, "AttributeError: module 'served' has no attribute"),
    ],
)
def test_a_server_whose_ping_is_not_200_gets_no_request(
    transform: Transform, env: dict[str, str], said: str
) -> None:
    run = transform.run({"00": "sum 1"}, env=transform.serve_module() | env)

    assert run.wait() == REFUSED
    assert transform.refused() == NOTHING
    assert "".join(run.lines[-1:]).startswith(said)


def test_a_script_is_not_served_when_pip_cannot_fetch_what_builds_it(transform: Transform) -> None:
    run = transform.run({"00": "1"}, env=transform.serve_script())

    assert run.wait() == REFUSED
    assert transform.refused() == NOTHING
    assert any("No matching distribution found for setuptools" in line for line in run.lines)
    assert run.lines[-2:] == ["InstallModuleError:", 'Command "python -m pip install ."']


def test_an_isolated_script_is_served_when_it_is_built_with_what_the_image_has(
    transform: Transform,
) -> None:
    before = installed_here()
    env = transform.serve_script() | {"PIP_NO_BUILD_ISOLATION": "0"}
    run = transform.run({"00": "1\n2"}, env=env)

    assert run.wait() == OK, run.lines
    assert transform.answers() == {"00": b"70.0\n140.0\n"}
    assert installed_here() == before


def installed_here() -> list[Path]:
    return sorted(path for folder in site.getsitepackages() for path in Path(folder).glob("*"))


def test_a_scikit_learn_model_that_is_not_isolated_is_built_with_what_is_installed_here(
    transform: Transform,
) -> None:
    # Libraries in the image are not fetched.
    (transform.root / "model/code/requirements.txt").write_text("numpy\n")
    env = transform.serve_script()
    run = transform.run({"00": "1"}, env=env, image="sagemaker-scikit-learn:1.9-0", network="connected")

    assert run.wait() == OK, run.lines
    assert transform.answers() == {"00": b"70.0\n"}


def test_requirements_from_an_index_fail_with_the_reason(transform: Transform) -> None:
    env = transform.serve_script()
    (transform.root / "model/code/requirements.txt").write_text("no-such-distribution\n")
    run = transform.run({"00": "1"}, env=env, network="connected")

    assert run.wait() == REFUSED
    assert "On AWS this container is not isolated, so pip could reach an index" in run.lines[-1]


def test_the_built_in_algorithm_answers_one_prediction_per_line(transform: Transform) -> None:
    booster = train(transform.root / "model/xgboost-model")
    (transform.root / "model/.DS_Store").write_text("ignored")

    assert transform.run({"a": "0,1\n10,\n", "b": "\n"}).wait() == OK
    expected = booster.predict(xgboost.DMatrix(np.array([[0.0, 1.0], [10.0, np.nan]]))).tolist()
    assert transform.answers() == {"a": f"{expected[0]}\n{expected[1]}\n".encode(), "b": b""}


@pytest.mark.parametrize(
    ("body", "types", "status", "reason"),
    [
        ("1,2", ("text/libsvm", ""), 415, "content type text/libsvm is not supported locally"),
        ("a,b", ("text/csv", ""), 415, "Loading csv data failed"),
        ("1,2,3", ("text/csv", ""), 400, "Unable to evaluate payload provided"),
        ("1,2", ("text/csv", "image/png"), 406, "Accept type image/png is not supported"),
    ],
)
def test_unsupported_types_of_the_built_in_algorithm_are_the_callers_mistake(
    transform: Transform, body: str, types: tuple[str, str], status: int, reason: str
) -> None:
    train(transform.root / "model/xgboost-model")

    assert transform.run({"a": body}, types=types).wait() == REFUSED
    refused = transform.refused()
    assert (refused["status"], refused["body"][: len(reason)]) == (status, reason)


def test_without_its_model_the_built_in_algorithm_does_not_start(transform: Transform) -> None:
    run = transform.run({"a": "1,2"})

    assert run.wait() == REFUSED
    assert transform.refused() == NOTHING
    assert run.lines[-1] == "ValueError: expected one model at the top of the model archive, found nothing"
