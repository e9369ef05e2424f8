"""The jobs one after the other, as the state machine starts them, and the bundle as SageMaker's image serves it."""

import hashlib
import importlib
import json
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

import run
from common.monitored import Monitored, parse
from common.preprocessing import CHANNELS
from digits import train
from digits.pictures import Pixels, decode, request_line
from tests.unit.processing.digits.pytorch.helpers import Rows, forget_the_project, write_table
from tests.unit.processing.seen_files import event, write_captures, write_predictions

TRAINING = ("--epochs", "3", "--batch-size", "32", "--learning-rate", "0.01", "--dropout", "0.05")


def sha256(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, sample: Rows) -> Path:
    """Everything that a run leaves, from the upload to the bundle."""
    folder = tmp_path_factory.mktemp("run")
    upload = write_table(folder / "digits.parquet", *zip(*sample, strict=True))
    options = ["--upload", upload, "--upload-digest", sha256(upload), "--output", folder / "prepared"]
    options += ["--output-uri", "s3://bucket/prepared", "--exit-message", folder / "message"]
    assert run.main(["preprocess", "digits", *map(str, options)]) == 0
    with pytest.MonkeyPatch.context() as patch:
        for channel in CHANNELS:
            patch.setenv(f"SM_CHANNEL_{channel.upper()}", str(folder / "prepared" / channel))
        patch.setenv("SM_MODEL_DIR", str(folder / "model"))
        assert train.main(TRAINING) == 0
    with tarfile.open(folder / "model.tar.gz", "w:gz") as tar:
        tar.add(folder / "model", ".")
    evaluate(folder, "output")
    return folder


def evaluate(folder: Path, output: str, *champion: object) -> dict[str, Any]:
    options = ["--model", folder / "model.tar.gz", "--prepared", folder / "prepared"]
    options += ["--prepared-digest", (folder / "message").read_text(), "--output", folder / output]
    options += ["--exit-message", folder / f"{output}-message", *champion]
    assert run.main(["evaluate", "digits", *map(str, options)]) == 0
    found: dict[str, object] = json.loads((folder / output / "evaluation.json").read_text())
    return found


def test_a_few_hundred_images_give_a_model_that_reads_digits(folder: Path) -> None:
    evaluation = json.loads((folder / "output" / "evaluation.json").read_text())
    (accuracy,) = (metric["value"] for metric in evaluation["metrics"] if metric["name"] == "accuracy")
    assert accuracy > 0.85
    assert evaluation["rows"]["test"] == 150
    assert (folder / "output" / "evaluation.json").stat().st_size < 1 << 20


def test_each_channel_names_its_files(folder: Path) -> None:
    for channel, files in {"train": ["images.npy", "labels.npy"], "batch": ["batch.jsonl"]}.items():
        manifest = json.loads((folder / "prepared" / channel / f"{channel}.manifest").read_text())
        assert manifest == [{"prefix": f"s3://bucket/prepared/{channel}/"}, *files]


def test_the_bundle_is_served_by_itself_and_predicts_the_batch(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = folder / "bundle"
    shutil.unpack_archive(folder / "output" / "model.tar.gz", bundle)
    digest = json.loads((folder / "output" / "evaluation.json").read_text())["digests"]["model_files"]
    batch = (folder / "prepared" / "batch" / "batch.jsonl").read_bytes()
    # What the image's server does with inference.py. pyarrow is not in the image.
    forget_the_project(monkeypatch)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.syspath_prepend(bundle / "code")
    monkeypatch.setenv("MODEL_FILES_DIGEST", digest)
    inference, context = importlib.import_module("inference"), Mock()
    monkeypatch.delitem(sys.modules, "inference")
    kinds = ["application/jsonlines"] * 2
    body, _ = inference.transform_fn(inference.model_fn(str(bundle)), batch, *kinds, context)
    context.set_response_status.assert_called_once_with(200, "OK")
    assert Path(str(inference.__file__)).is_relative_to(bundle)
    answers = body.splitlines()
    labels = np.load(folder / "prepared" / "test" / "labels.npy")
    hits = [json.loads(answer)["label"] == label for answer, label in zip(answers, labels, strict=True)]
    metrics = json.loads((folder / "output" / "evaluation.json").read_text())["metrics"]
    assert metrics[0]["value"] == pytest.approx(np.mean(hits))


def test_a_champion_is_measured_on_the_same_images(folder: Path) -> None:
    archive = folder / "output" / "model.tar.gz"
    champion = ["--champion", archive, "--champion-arn", "arn:champion", "--champion-digest", sha256(archive)]
    evaluation = evaluate(folder, "second", *champion)
    found = evaluation["champion"]
    assert (found["model_package_arn"], found["value"]) == ("arn:champion", evaluation["metrics"][0]["value"])
    assert found["comparison"]["difference"] == 0
    assert found["change"]["now"] == found["change"]["at_approval"]
    drift = evaluation["drift"]
    assert (drift["problem"], drift["drifted"], drift["rows"]) == ("", False, drift["baseline_rows"])
    assert {"brightness", "network_8", "prediction"} <= {test["name"] for test in drift["tests"]}
    (folder / "damaged").write_bytes(archive.read_bytes()[:50_000])
    evaluation = evaluate(folder, "third", "--champion", folder / "damaged", "--champion-arn", "arn:champion")
    assert evaluation["champion"] is None
    assert str(evaluation["champion_problem"]).startswith("arn:champion cannot be compared: ")


def prepare(upload: Path, output: Path) -> None:
    options = ["--upload", upload, "--upload-digest", sha256(upload), "--output", output]
    options += ["--output-uri", "s3://bucket/prepared", "--exit-message", upload.with_suffix(".message")]
    assert run.main(["preprocess", "digits", *map(str, options)]) == 0


def watch(folder: Path, seen: Path) -> Monitored:
    """The findings of the monitoring job."""
    archive = folder / "output" / "model.tar.gz"
    options = [
        "--model",
        archive,
        "--model-digest",
        sha256(archive),
        "--model-arn",
        "arn:live",
        "--seen",
        seen,
    ]
    options += ["--since", "2026-03-01T00:00:00Z", "--until", "2026-03-08T00:00:00Z"]
    options += ["--output", seen / "found", "--exit-message", seen / "message"]
    assert run.main(["monitor", "digits", *map(str, options)]) == 0
    assert (seen / "message").read_text() == sha256(seen / "found" / "monitoring.json")
    return parse((seen / "found" / "monitoring.json").read_text())


def requests(pixels: Pixels) -> list[str]:
    return [line.rstrip("\n") for line in map(request_line, pixels)]


@pytest.mark.parametrize("is_inverted", [False, True])
def test_inverted_digits_have_drifted_and_the_same_digits_have_not(
    is_inverted: bool, folder: Path, sample_pixels: Pixels, tmp_path: Path
) -> None:
    asked = sample_pixels[np.random.default_rng(1).integers(len(sample_pixels), size=400)]
    lines = [
        json.dumps({**json.loads(line), "SageMakerOutput": {"label": 1}})
        for line in requests(255 - asked if is_inverted else asked)
    ]
    write_predictions(tmp_path, "mpg-20260302-1000-0123abcd", lines, "batch.jsonl.out")
    found = watch(folder, tmp_path)
    assert found.drift
    assert (found.drift.rows, found.drift.problem, found.problems) == (400, "", ())
    assert found.drifted == is_inverted
    if is_inverted:
        assert {"brightness", "network_1"} <= set(found.drift.drifted_features)


def test_labels_of_captured_digits_that_came_later_give_the_accuracy_in_the_wild(
    folder: Path, sample: Rows, later_sample: Rows, tmp_path: Path
) -> None:
    pixels = np.stack([decode(content) for content, _ in later_sample])
    # Every fifth answer is wrong.
    answers = [(label + (place % 5 == 0)) % 10 for place, (_, label) in enumerate(later_sample)]
    kind = {"content_type": "application/jsonlines", "encoding": "JSON"}
    events = [
        event(line, json.dumps({"label": answer, "probability": 0.9}), **kind)
        for line, answer in zip(requests(pixels), answers, strict=True)
    ]
    write_captures(tmp_path, "digits", events)
    upload = write_table(tmp_path / "later.parquet", *zip(*sample, *later_sample, strict=True))
    prepare(upload, tmp_path / "runs" / "mpg-20260304-1000-0123abcd" / "prepared")
    found = watch(folder, tmp_path)
    # The model knew the first sample, so only the second counts.
    assert found.rows == {"batch": 0, "endpoint": 300, "labelled": 300}
    assert found.quality
    assert (found.quality.metric, found.quality.better) == ("accuracy", "higher")
    assert found.quality.now == pytest.approx(0.8)
    assert found.quality.degraded == (found.quality.high < 0)
