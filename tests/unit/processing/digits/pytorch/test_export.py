"""The ONNX graph reads the same digits as the network."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from common.serving import UnusableModel
from digits import inference
from digits.export import export
from digits.inference import model_fn
from digits.model import Network
from digits.onnx_inference import answer, feed
from digits.pictures import Pixels, request_line
from digits.requests import JSON_LINES
from digits.train import save
from tests.unit.processing.digits.pytorch.helpers import png


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """An unpacked bundle with a network that has learned nothing."""
    torch.manual_seed(0)
    save(Network(dropout=0.3), tmp_path)
    return tmp_path


def predict(graph: Path, request: bytes, content_type: str) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feed(request, content_type)), strict=True))


def test_it_predicts_the_probabilities_of_the_network(bundle: Path, sample_pixels: Pixels) -> None:
    export(bundle, bundle / "model.onnx")
    outputs = predict(bundle / "model.onnx", "".join(map(request_line, sample_pixels)).encode(), JSON_LINES)
    native = inference.predict_fn(sample_pixels, model_fn(str(bundle)))
    assert outputs["probabilities"] == pytest.approx(native, abs=1e-6)
    assert answer(outputs, JSON_LINES) == inference.output_fn(outputs["probabilities"], JSON_LINES)


def test_it_takes_a_single_image(bundle: Path, sample_pixels: Pixels) -> None:
    export(bundle, bundle / "model.onnx")
    outputs = predict(bundle / "model.onnx", png(sample_pixels[0]), "image/png")
    native = inference.predict_fn(sample_pixels[:1], model_fn(str(bundle)))
    assert outputs["probabilities"] == pytest.approx(native, abs=1e-6)


def test_the_same_model_gives_the_same_bytes(bundle: Path) -> None:
    for name in ("once", "again"):
        export(bundle, bundle / name)
    assert (bundle / "once").read_bytes() == (bundle / "again").read_bytes()


def test_the_tensors_are_those_of_the_catalogue_page(bundle: Path) -> None:
    export(bundle, bundle / "model.onnx")
    graph = onnx.load(bundle / "model.onnx").graph
    (images,), (probabilities,) = graph.input, graph.output
    shapes = [[dim.dim_value for dim in each.type.tensor_type.shape.dim] for each in (images, probabilities)]
    assert (images.name, probabilities.name) == ("images", "probabilities")
    assert shapes == [[0, 28, 28], [0, 10]]  # 0: any number


def test_a_network_that_is_none_is_refused(bundle: Path) -> None:
    (bundle / "model.pth").write_bytes(b"")
    with pytest.raises(UnusableModel, match="is no PyTorch file"):
        export(bundle, bundle / "model.onnx")
