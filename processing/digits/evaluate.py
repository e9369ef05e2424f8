"""Assembles the model that reads digits and measures it on the test images."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from common.bundle import read_files
from common.cluster import Cluster
from common.evaluation import Bars, Baseline, Figure, Matrix, Measurement, Metric, Picture, Pictures
from common.serving import UnusableModel
from common.smoke_test import smoke_test
from digits import CLASSES, inference, quality
from digits.inference import MODEL_FILES
from digits.model import Network
from digits.pictures import Pixels, encode, request_line
from digits.requests import JSON_LINES

__all__ = ["MODEL_FILES", "assemble", "measure", "requests"]

LARGEST_DIFFERENCE = 1e-5
MISTAKES_SHOWN = 12

_COMPARED = 500
_LINES_A_REQUEST = 1000
_DIGITS = range(CLASSES)

Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Answers:
    """The digit that the model reads in each image, and its probability."""

    labels: Labels
    probabilities: NDArray[np.float64]


def assemble(trained: Path, prepared: Path, folder: Path) -> None:
    """Put MODEL_FILES into the folder. Raises BadArchive, and UnusableModel if they predict differently."""
    for name, content in read_files(trained, MODEL_FILES).items():
        (folder / name).write_bytes(content)
    pixels, _ = _read(prepared, "test")
    _refuse_difference(folder, pixels[:_COMPARED])


def measure(folder: Path, prepared: Path, cluster: Cluster) -> Measurement:
    """Predict the test images as a caller of the model would, and measure. Raises UnusableModel."""
    pixels, actual = _read(prepared, "test")
    model = inference.model_fn(str(folder))
    lines = list(map(request_line, pixels))
    answers = _predict(model, lines)
    predicted = answers.labels
    # A class without any test image is left out: its scores would be 0.
    present = quality.class_scores(actual, predicted, np.unique(actual).tolist())
    return Measurement(
        metrics=[
            Metric("accuracy", "Accuracy", _accuracy(actual, predicted), better="higher"),
            _mean("macro_f1", "F1", present.f1),
            _mean("macro_precision", "Precision", present.precision),
            _mean("macro_recall", "Recall", present.recall),
        ],
        baseline=_baseline(prepared, actual),
        model_quality=quality.model_quality(actual, predicted, _DIGITS),
        figures=_figures(pixels, actual, answers),
        smoke_test=smoke_test(inference, model, lines, JSON_LINES, JSON_LINES, LARGEST_DIFFERENCE),
        gate_values=(actual == predicted).astype(float).tolist(),
    )


def requests(prepared: Path) -> Iterator[str]:
    """The test images as callers of the model send them, in requests that fit into memory."""
    pixels, _ = _read(prepared, "test")
    for start in range(0, len(pixels), _LINES_A_REQUEST):
        yield "".join(map(request_line, pixels[start : start + _LINES_A_REQUEST]))


def _mean(name: str, label: str, scores: NDArray[np.float64]) -> Metric:
    return Metric(name, f"{label}, mean of the digits", float(scores.mean()), better="higher")


def _refuse_difference(folder: Path, pixels: Pixels) -> None:
    weights = inference.predict_fn(pixels, inference.load_network(folder / inference.WEIGHTS))
    path = folder / inference.PROGRAM
    inference.refuse_unsuitable_file(path)
    try:
        program = torch.jit.load(path, map_location="cpu").eval()
        with torch.inference_mode():
            other = torch.softmax(program(torch.from_numpy(pixels).float()), dim=1).numpy()
        difference = float(np.abs(weights - other).max())
    except Exception as error:  # a program may raise anything
        raise UnusableModel(f"{path.name} is no program that reads these images") from error
    if not difference <= LARGEST_DIFFERENCE:
        raise UnusableModel(
            f"{inference.PROGRAM} and {inference.WEIGHTS} predict different probabilities, "
            f"by up to {difference:.2g}"
        )


def _read(prepared: Path, part: str) -> tuple[Pixels, Labels]:
    pixels, labels = (np.load(prepared / part / f"{n}.npy", allow_pickle=False) for n in ("images", "labels"))
    return pixels, labels


def _predict(model: Network, lines: Sequence[str]) -> Answers:
    found = []
    for start in range(0, len(lines), _LINES_A_REQUEST):
        body = "".join(lines[start : start + _LINES_A_REQUEST])
        predictions = inference.predict_fn(inference.input_fn(body, JSON_LINES), model)
        answer, _ = inference.output_fn(predictions, JSON_LINES)
        found += [json.loads(line) for line in answer.splitlines()]
    return Answers(
        np.array([answer["label"] for answer in found]), np.array([answer["probability"] for answer in found])
    )


def _accuracy(actual: Labels, predicted: Labels) -> float:
    return float(np.mean(actual == predicted))


def _baseline(prepared: Path, actual: Labels) -> Baseline:
    _, trained_on = _read(prepared, "train")
    most_frequent = int(np.bincount(trained_on).argmax())
    return Baseline(
        f"always predicting {most_frequent}", _accuracy(actual, np.full_like(actual, most_frequent))
    )


def _figures(pixels: Pixels, actual: Labels, answers: Answers) -> list[Figure]:
    scores = quality.class_scores(actual, answers.labels, _DIGITS)
    names = [str(digit) for digit in _DIGITS]
    figures: list[Figure] = [
        Matrix(
            "Confusion matrix of the test images",
            "On the diagonal a prediction is right.",
            "predicted digit",
            "actual digit",
            names,
            quality.confusion(actual, answers.labels, _DIGITS),
        ),
        Bars(
            "Recall of each digit",
            "The part of a digit's images that the model recognizes.",
            list(zip(names, scores.recall.tolist(), strict=True)),
        ),
        Bars(
            "Precision of each digit",
            "The part of the model's answers with this digit that are right.",
            list(zip(names, scores.precision.tolist(), strict=True)),
        ),
    ]
    mistakes = _mistakes(pixels, actual, answers)
    if mistakes:
        caption = "The wrong answers that the model was most certain of."
        figures.append(Pictures("Worst mistakes", caption, mistakes))
    return figures


def _mistakes(pixels: Pixels, actual: Labels, answers: Answers) -> Sequence[Picture]:
    wrong = np.flatnonzero(actual != answers.labels)
    worst = wrong[np.argsort(-answers.probabilities[wrong], kind="stable")][:MISTAKES_SHOWN]
    return [
        Picture(
            base64.b64encode(encode(pixels[row])).decode("ascii"),
            f"{actual[row]} read as {answers.labels[row]} ({answers.probabilities[row]:.0%})",
        )
        for row in worst
    ]
