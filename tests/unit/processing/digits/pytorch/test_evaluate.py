"""The evaluation measures what a caller of the model gets, and refuses a model that is not what it seems."""

import base64
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from common.bundle import BadArchive
from common.cluster import Local
from common.evaluation import Bars, Matrix, Measurement, Pictures
from common.serving import UnusableModel
from digits import inference
from digits.evaluate import assemble, measure
from digits.model import Network
from digits.pictures import Pixels
from digits.train import save
from tests.unit.processing.digits.pytorch.helpers import Rows


def pack(folder: Path) -> Path:
    archive = folder / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("model.pth", "model.pt"):
            if (folder / name).exists():
                tar.add(folder / name, name)
    return archive


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, sample: Rows, sample_pixels: Pixels) -> Path:
    """Twenty images to test with; in the labels of training, 7 is the most frequent."""
    folder = tmp_path_factory.mktemp("prepared")
    labels = np.array([label for _, label in sample])
    for part, rows in {"train": slice(20, 300), "test": slice(0, 20)}.items():
        (folder / part).mkdir()
        np.save(folder / part / "images.npy", sample_pixels[rows])
        np.save(folder / part / "labels.npy", labels[rows])
    np.save(folder / "train" / "labels.npy", np.append(labels[20:300], [7] * 100))
    return folder


@pytest.fixture
def trained(tmp_path: Path, untrained: Path) -> Path:
    """What a training job leaves, of a network that has learned nothing."""
    return pack(Path(shutil.copytree(untrained, tmp_path / "trained")))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, untrained: Path, prepared: Path) -> Path:
    """It with what it is served by."""
    folder = tmp_path_factory.mktemp("bundle")
    trained = Path(shutil.copytree(untrained, tmp_path_factory.mktemp("job") / "trained"))
    assemble(pack(trained), prepared, folder)
    return folder


@pytest.fixture
def measured(
    bundle: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[int]], Measurement]:
    """What is measured if the model answers with these digits, 0.9 sure of the first one and a little less of
    each one after it."""

    def measure_answers(answers: list[int]) -> Measurement:
        sure = 0.9 - 0.01 * np.arange(len(answers))[:, np.newaxis]
        one = np.eye(10)[answers]
        found = (one * sure + (1 - one) * (1 - sure) / 9).astype(np.float32)
        monkeypatch.setattr(inference, "predict_fn", lambda images, model: found)
        return measure(bundle, prepared, Local())

    return measure_answers


def test_the_model_that_is_measured_is_the_one_that_was_trained(
    bundle: Path, untrained: Path, prepared: Path
) -> None:
    for name in inference.MODEL_FILES:
        assert (bundle / name).read_bytes() == (untrained / name).read_bytes()
    network = inference.model_fn(str(bundle))
    pixels, labels = (np.load(prepared / "test" / f"{name}.npy") for name in ("images", "labels"))
    predicted = inference.predict_fn(pixels, network).argmax(axis=1)
    assert measure(bundle, prepared, Local()).value("accuracy") == (predicted == labels).mean()


def test_right_answers_to_everything_are_perfect(
    measured: Callable[[list[int]], Measurement], sample: Rows
) -> None:
    found = measured([label for _, label in sample[:20]])
    assert {metric.name: metric.value for metric in found.metrics} == dict.fromkeys(
        ["accuracy", "macro_f1", "macro_precision", "macro_recall"], 1.0
    )
    assert all(metric.better == "higher" for metric in found.metrics)
    assert [figure.kind for figure in found.figures] == ["matrix", "bars", "bars"]


def test_the_baseline_always_says_the_most_frequent_digit_of_training(
    measured: Callable[[list[int]], Measurement], sample: Rows
) -> None:
    labels = [label for _, label in sample[:20]]
    found = measured(labels)
    assert found.baseline.label == "always predicting 7"
    assert found.baseline.value == labels.count(7) / 20


def test_mistakes_are_counted_and_the_worst_are_shown(
    measured: Callable[[list[int]], Measurement], sample: Rows, sample_pixels: Pixels
) -> None:
    labels = [label for _, label in sample[:20]]
    answers = [(label + 1) % 10 if row < 14 else label for row, label in enumerate(labels)]
    found = measured(answers)
    assert found.value("accuracy") == pytest.approx(6 / 20)
    matrix, recall, precision, pictures = found.figures
    assert isinstance(matrix, Matrix)
    assert isinstance(recall, Bars)
    assert isinstance(precision, Bars)
    assert isinstance(pictures, Pictures)
    assert sum(map(sum, matrix.counts)) == 20
    assert matrix.counts[labels[0]][answers[0]] >= 1
    assert [name for name, _ in recall.rows] == [name for name, _ in precision.rows] == list("0123456789")
    assert len(pictures.pictures) == 12
    assert pictures.pictures[0].caption == f"{labels[0]} read as {answers[0]} (90%)"
    shown = Image.open(io.BytesIO(base64.b64decode(pictures.pictures[1].png)))
    assert np.array_equal(np.asarray(shown), sample_pixels[1])


def test_what_is_measured_can_be_written_as_json(
    measured: Callable[[list[int]], Measurement], sample: Rows
) -> None:
    found = measured([0] * 20)
    matrix = found.model_quality["multiclass_classification_metrics"]["confusion_matrix"]
    assert sum(matrix[str(label)]["0"] for label in range(10)) == 20
    json.dumps(
        [found.model_quality, [vars(figure) for figure in found.figures]], allow_nan=False, default=vars
    )


def unusable(trained: Path, prepared: Path, tmp_path: Path) -> str:
    (tmp_path / "bundle").mkdir(exist_ok=True)
    with pytest.raises((UnusableModel, BadArchive)) as refused:
        assemble(trained, prepared, tmp_path / "bundle")
    return str(refused.value)


def test_two_formats_that_predict_differently_are_refused(
    trained: Path, prepared: Path, tmp_path: Path
) -> None:
    weights = (trained.parent / "model.pth").read_bytes()
    save(Network(), trained.parent)  # other weights
    (trained.parent / "model.pth").write_bytes(weights)
    message = unusable(pack(trained.parent), prepared, tmp_path)
    assert message.startswith("model.pt and model.pth predict different probabilities, by up to ")


class Wrong(torch.nn.Module):  # type: ignore[misc]
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels


def test_a_program_that_reads_no_images_is_refused(trained: Path, prepared: Path, tmp_path: Path) -> None:
    program = trained.parent / "model.pt"
    torch.jit.script(Wrong()).save(program)
    message = "model.pt is no program that reads these images"
    assert unusable(pack(trained.parent), prepared, tmp_path) == message
    torch.save({}, program)
    assert unusable(pack(trained.parent), prepared, tmp_path) == message
    program.write_bytes(b"")
    assert unusable(pack(trained.parent), prepared, tmp_path) == "model.pt is no PyTorch file"
    program.unlink()
    assert unusable(pack(trained.parent), prepared, tmp_path) == "model.tar.gz holds no model.pt"
