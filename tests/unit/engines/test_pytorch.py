"""PyTorch's own environment: a script trained and served in it, in real processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.sagemaker.engines.environments import make
from local.sagemaker.engines.images import find_image
from local.sagemaker.engines.processes import Command, Exit, Python
from local.sagemaker.engines.warm import tree
from tests.pytorch import PYTORCH
from tests.unit.engines.test_toolkit_settings import write_config

if TYPE_CHECKING:
    from tests.unit.engines.conftest import Runner

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(900)]

OK = Exit(0, "exited")
TAG = "2.6.0-cpu-py312-ubuntu22.04-sagemaker"
TRAIN = """
import argparse, os
import numpy, pandas, PIL.Image, pyarrow.parquet, sklearn, torch, torchvision
parser = argparse.ArgumentParser()
parser.add_argument("--slope", type=float)
slope = parser.parse_args().slope
layer = torch.nn.Linear(1, 1)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
x = torch.linspace(-1, 1, 32).reshape(-1, 1)
for _ in range(200):
    optimizer.zero_grad()
    loss = ((layer(x) - slope * x) ** 2).mean()
    loss.backward()
    optimizer.step()
print(f"loss={loss.item():.6f};", numpy.__version__, torch.__version__)
torch.jit.script(layer).save(os.environ["SM_MODEL_DIR"] + "/model.pt")
"""


@pytest.fixture(scope="module")
def pytorch() -> Python:
    """Its interpreter, made if it is missing."""
    return make(PYTORCH, print)


@pytest.fixture
def run(runner: Runner, pytorch: Python, tmp_path: Path) -> Callable[..., list[str]]:
    """Runs a program of an image in PyTorch's interpreter to its successful end; the lines it printed."""

    def to_the_end(repository: str, *arguments: str) -> list[str]:
        image = find_image(f"763104351884.dkr.ecr.us-east-1.amazonaws.com/{repository}:{TAG}", "us-east-1")
        program = image.script or image.server
        assert program is not None
        command = Command((*program, *arguments), {}, tmp_path, image.hidden_modules, python=pytorch)
        job = runner.spawn(command)
        assert job.wait() == OK, job.lines
        return job.lines

    return to_the_end


def test_a_script_is_trained_and_its_torchscript_served_without_a_script(
    run: Callable[..., list[str]], tmp_path: Path
) -> None:
    code = tmp_path / "input/data/code"
    for folder in (code, tmp_path / "model", tmp_path / "output", tmp_path / "requests"):
        folder.mkdir(parents=True)
    (code / "train.py").write_text(TRAIN)
    hyperparameters = {
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": "/opt/ml/input/data/code",
    }
    write_config(tmp_path, hyperparameters | {"slope": "3"}, "code")
    (tmp_path / "requests/00").write_text("[[1], [2]]")
    first = run("pytorch-training", str(tmp_path), "", "isolated")
    folders = (str(tmp_path), str(tmp_path / "requests"), str(tmp_path / "responses"))
    run("pytorch-inference", *folders, "application/json", "application/json", "isolated")

    assert first[-1].startswith("loss=0.000")
    assert " 1.26.4 2.6.0" in first[-1]
    predictions = json.loads((tmp_path / "responses/00").read_text())
    assert [round(row[0], 1) for row in predictions] == [3.0, 6.0]


def test_the_inference_image_lacks_what_only_training_has(
    runner: Runner, pytorch: Python, tmp_path: Path
) -> None:
    image = find_image(f"763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:{TAG}", "us-east-1")
    script = tmp_path / "script.py"
    script.write_text(
        "import torch\ntry:\n import pyarrow\nexcept ModuleNotFoundError as e: print(e)\nimport xgboost"
    )
    command = Command(("python3", str(script)), {}, tmp_path, image.hidden_modules, python=pytorch)
    job = runner.spawn(command)

    assert job.wait() == Exit(1, "exited")
    assert job.lines[0] == "No module named 'pyarrow'"
    assert job.lines[-1] == "ModuleNotFoundError: No module named 'xgboost'"


@pytest.mark.skipif(not tree.HAS_PROC, reason="only /proc tells the threads of a process")
def test_its_warm_interpreter_has_one_thread(runner: Runner, pytorch: Python) -> None:
    runner.spawn(Command(("python3", "-c", "pass"), {}, Path("/"), python=pytorch)).wait()
    process = runner.workers._interpreters[pytorch].process
    assert process is not None

    assert len(list(Path(f"/proc/{process.pid}/task").iterdir())) == 1
