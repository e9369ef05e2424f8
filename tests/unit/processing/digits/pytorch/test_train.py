"""Training in script mode: what SageMaker hands to the script, and what the tuning job reads from it."""

import json
import re
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from digits import train
from digits.augmentation import distort
from digits.model import Network
from digits.pictures import Pixels
from tests.unit.processing.digits.pytorch.helpers import Rows, forget_the_project

SCRIPT = Path(train.__file__)
QUICK = ("--epochs", "2", "--batch-size", "50", "--learning-rate", "0.005")


@pytest.fixture
def channels(tmp_path: Path, sample: Rows, sample_pixels: Pixels, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job's folder: two channels with 300 and 100 images, and nothing else."""
    labels = np.array([label for _, label in sample])
    for name, part in {"train": slice(0, 300), "validation": slice(300, 400)}.items():
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "images.npy", sample_pixels[part])
        np.save(tmp_path / name / "labels.npy", labels[part])
        monkeypatch.setenv(f"SM_CHANNEL_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("SM_MODEL_DIR", str(tmp_path / "model"))
    monkeypatch.setenv("SM_NUM_GPUS", "0")
    return tmp_path


def weights(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(folder / "model" / "model.pth", weights_only=True)
    return found


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def failure(capsys: pytest.CaptureFixture[str], arguments: Sequence[str] = QUICK) -> str:
    assert train.main(arguments) == 1
    first, problem = capsys.readouterr().err.strip().split(": ", maxsplit=1)
    assert first == "RuntimeError"  # SageMaker's toolkit looks for such a name to find the reason
    return problem


def test_it_runs_as_a_script_from_anywhere_and_saves_both_formats(
    channels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_the_project(monkeypatch)
    monkeypatch.chdir(channels)
    arguments = [*QUICK, "--_tuning_objective_metric", "validation:accuracy"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert ended.value.code == 0
    network = Network()
    network.load_state_dict(weights(channels))
    program = torch.jit.load(channels / "model" / "model.pt")
    images = torch.from_numpy(np.load(channels / "validation" / "images.npy")).float()
    with torch.inference_mode():
        assert torch.allclose(network.eval()(images), program(images), atol=1e-5)


def test_every_metric_of_the_workload_is_printed_once_an_epoch(
    channels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main([*QUICK, "--epochs", "3"]) == 0
    output = capsys.readouterr().out
    definitions = json.loads(SCRIPT.with_name("workload.json").read_text())["training"]["metric_definitions"]
    for definition in definitions:
        values = [float(value) for value in re.findall(definition["Regex"], output)]
        assert len(values) == 3, definition["Name"]
    accuracies = [float(value) for value in re.findall(definitions[-1]["Regex"], output)]
    assert accuracies[-1] > 0.5
    losses = [float(value) for value in re.findall(definitions[0]["Regex"], output)]
    assert losses[-1] < losses[0]


def test_the_same_seed_gives_the_same_model_and_another_seed_another(channels: Path) -> None:
    found = []
    for seed in "0", "0", "1":
        assert train.main(["--epochs", "1", "--seed", seed]) == 0
        found.append(weights(channels))
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


def test_a_run_that_is_interrupted_ends_with_the_model_of_one_that_is_not(
    channels: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main(QUICK) == 0
    uninterrupted = weights(channels)
    kept = ["--checkpoints", str(channels / "checkpoints")]
    score = train.score

    def interrupted(*arguments: object) -> tuple[float, float]:
        if (channels / "checkpoints" / train.CHECKPOINT).exists():
            raise KeyboardInterrupt
        return score(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(train, "score", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train.main([*QUICK, *kept])
    monkeypatch.setattr(train, "score", score)
    capsys.readouterr()
    assert train.main([*QUICK, *kept]) == 0
    output = capsys.readouterr().out
    assert "after 1 epochs" in output
    assert "epoch 1/2" not in output
    assert same(weights(channels), uninterrupted)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_checkpoint_that_is_damaged_or_of_other_settings_is_left_aside(
    channels: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    arguments = ["--epochs", "1", "--checkpoints", str(channels)]
    if content is None:
        assert train.main([*arguments, "--seed", "7"]) == 0
    else:
        (channels / train.CHECKPOINT).write_bytes(content)
    assert train.main(arguments) == 0
    assert "training starts anew" in capsys.readouterr().out


def test_a_checkpoint_of_a_finished_run_is_not_trained_again(
    channels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--epochs", "1", "--checkpoints", str(channels)]
    assert train.main(arguments) == 0
    first = weights(channels)
    capsys.readouterr()
    assert train.main(arguments) == 0
    assert "epoch 1/1" not in capsys.readouterr().out
    assert same(weights(channels), first)


def test_trials_that_share_a_folder_leave_each_others_checkpoints_alone(
    channels: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = channels / "not there yet"
    for name in ("trial-1", "trial-2", "trial-1"):
        monkeypatch.setenv("TRAINING_JOB_NAME", name)
        assert train.main(["--epochs", "1", "--checkpoints", str(shared)]) == 0
    assert sorted(path.name for path in shared.iterdir()) == ["trial-1", "trial-2"]
    assert capsys.readouterr().out.count("resumed from") == 1


@pytest.mark.parametrize("name", ["train", "validation"])
def test_a_missing_channel_is_named(
    channels: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (channels / name / "labels.npy").unlink()
    assert failure(capsys) == f"the channel {name} has no file labels.npy in {channels / name}"
    monkeypatch.delenv(f"SM_CHANNEL_{name.upper()}")
    assert failure(capsys) == f"the channel {name} is missing: SM_CHANNEL_{name.upper()} is not set"


def test_without_a_folder_for_the_model_nothing_is_trained(
    channels: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SM_MODEL_DIR")
    assert failure(capsys) == "there is nowhere to put the model: SM_MODEL_DIR is not set"


def test_a_channel_that_holds_something_else_is_refused(
    channels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, labels = channels / "train" / "images.npy", channels / "train" / "labels.npy"
    np.save(labels, np.full(300, 10))
    assert failure(capsys) == "the channel train has not a label from 0 to 9 for each image"
    np.save(labels, np.zeros(299, np.int64))
    assert failure(capsys) == "the channel train has not a label from 0 to 9 for each image"
    np.save(images, np.zeros((300, 32, 32), np.uint8))
    assert failure(capsys) == "the channel train holds no images of 28 x 28 bytes: (300, 32, 32)"
    np.save(images, np.array([{"a": 1}]), allow_pickle=True)
    assert failure(capsys) == f"a file of the channel train in {channels / 'train'} is no NumPy array"


def test_a_learning_rate_that_makes_training_diverge_is_named(
    channels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "try a smaller learning rate" in failure(capsys, ["--learning-rate", "1e30", "--epochs", "2"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("--learning-rate", "0"), ("--learning-rate", "nan"), ("--dropout", "1"), ("--batch-size", "0"),
        ("--epochs", "1.5"), ("--weight-decay", "-1"), ("--epoch", "3"), ("--momentum", "0.9"),
    ],
)  # fmt: skip
def test_hyperparameters_that_make_no_sense_are_refused(
    arguments: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        train.main(arguments)
    assert arguments[0] in capsys.readouterr().err


def test_every_hyperparameter_of_the_workload_is_one_of_the_script() -> None:
    workload = json.loads(SCRIPT.with_name("workload.json").read_text())
    arguments = dict(workload["training"]["hyperparameters"])
    for kind, ranges in workload["tuning"]["ranges"].items():
        for tuned in ranges:
            arguments[tuned["Name"]] = tuned["Values"][0] if kind.startswith("Cat") else tuned["MaxValue"]
    parsed = train._parser().parse_args([part for name, v in arguments.items() for part in (f"--{name}", v)])
    assert {name.replace("-", "_") for name in arguments} <= vars(parsed).keys()


def test_a_distorted_image_is_another_one_of_the_same_digit(sample_pixels: Pixels) -> None:
    images = torch.from_numpy(sample_pixels).float()
    torch.manual_seed(0)
    first, second = distort(images), distort(images)
    assert first.shape == images.shape
    assert not torch.equal(first, second)
    # The ink stays about the same in amount and place.
    ink, distorted = images.sum(dim=(1, 2)), first.sum(dim=(1, 2))
    assert ((distorted / ink - 1).abs() < 0.3).float().mean() > 0.95
    assert float((first - images).abs().mean()) < float(images.mean())
