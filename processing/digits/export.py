"""Writes the model of digits as an ONNX graph, from the pixels of images to probabilities.

PyTorch 2.6's exporter needs the package onnx, which its image lacks.
"""

from __future__ import annotations

import io
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from digits import SIDE, inference
from digits.onnx_inference import IMAGES, PROBABILITIES

_OPSET = 17


class _Predictor(nn.Module):  # type: ignore[misc]
    """What `inference.predict_fn` computes."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return torch.softmax(self.network(images), dim=1)


def export(folder: Path, path: Path) -> None:
    """Write the model of an unpacked bundle; the same model always gives the same bytes.

    The graph takes `images`, float32 (images, 28, 28) with grey from 0 to 255, and returns `probabilities`,
    float32 (images, 10). Raises UnusableModel.
    """
    predictor = _Predictor(inference.model_fn(str(folder))).eval()
    content = io.BytesIO()
    torch.onnx.export(
        predictor,
        # Any number of images but one, which the exporter would take for a constant.
        (torch.zeros(2, SIDE, SIDE),),
        content,
        input_names=[IMAGES],
        output_names=[PROBABILITIES],
        dynamic_axes={IMAGES: {0: "images"}, PROBABILITIES: {0: "images"}},
        opset_version=_OPSET,
        dynamo=False,
    )
    graph = onnx.load_from_string(content.getvalue())
    onnx.checker.check_model(graph, full_check=True)
    path.write_bytes(graph.SerializeToString(deterministic=True))
