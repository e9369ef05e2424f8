"""The PyTorch image's functions for a script that lacks them: TorchScript, and arrays in three formats.

The functions import torch themselves, because the other images, which this package also serves, lack it.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from local.sagemaker.engines.serving.script_mode import CSV, JSON, NPY

_PLEASE = (
    "Please implement input_fn to deserialize the request data or an output_fn to serialize the response."
)


class UnsupportedFormatError(Exception):
    """A type that the defaults do not support."""

    def __init__(self, content_type: str) -> None:
        super().__init__(f"Content type {content_type} is not supported by this framework.\n\n{_PLEASE}")


class ModelLoadError(Exception):
    """The model is not TorchScript."""


def model_fn(model_dir: str) -> Any:
    """The TorchScript module in model.pt, or in the only .pt or .pth file."""
    import torch

    path = Path(model_dir) / "model.pt"
    if not path.exists():
        found = sorted(file.name for file in Path(model_dir).iterdir() if file.suffix in (".pt", ".pth"))
        if len(found) != 1:
            raise ValueError(f"Exactly one .pth or .pt file is required for PyTorch models: {found}")
        path = Path(model_dir) / found[0]
    try:
        return torch.jit.load(str(path), map_location=_device()).to(_device())
    except RuntimeError as error:
        raise ModelLoadError(
            f"Failed to load {path}. Please ensure model is saved using torchscript."
        ) from error


def input_fn(data: Any, content_type: str) -> Any:
    """A tensor from JSON, CSV or npy."""
    import torch

    if content_type == JSON:
        array = np.array(json.loads(data))
    elif content_type == CSV:
        array = np.genfromtxt(io.StringIO(data), delimiter=",")
    elif content_type == NPY:
        return torch.from_numpy(np.load(io.BytesIO(data))).to(_device())
    else:
        raise UnsupportedFormatError(content_type)
    return torch.FloatTensor(array).to(_device())


def predict_fn(data: Any, model: Any) -> Any:
    """The model's output for a tensor."""
    import torch

    with torch.no_grad():
        return model.to(_device()).eval()(data.to(_device()))


def output_fn(prediction: Any, accept: str) -> bytes:
    """The first accepted of JSON, CSV and npy."""
    numbers = prediction.detach().cpu().numpy().tolist() if hasattr(prediction, "detach") else prediction
    for accepted in accept.replace(" ", "").split(","):
        if accepted == JSON:
            return json.dumps(numbers, default=lambda value: value.tolist()).encode()
        if accepted == CSV:
            text = io.StringIO()
            np.savetxt(text, numbers, delimiter=",", fmt="%s")
            return text.getvalue().encode()
        if accepted == NPY:
            stream = io.BytesIO()
            np.save(stream, numbers)
            return stream.getvalue()
    raise UnsupportedFormatError(accept)


def _device() -> Any:
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
