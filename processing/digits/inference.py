"""The model's interface: images of digits in, one prediction for each image out.

SageMaker's PyTorch image calls these functions, and evaluation does as well, so training and serving cannot
drift apart. The weights are loaded into `model.Network`; `model.pt` is for programs without Python.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import torch

from common.serving import UnusableModel, refuse_changed_files
from digits.model import Network
from digits.pictures import Pixels
from digits.requests import Probabilities, read_images, write_predictions

WEIGHTS = "model.pth"
PROGRAM = "model.pt"
MODEL_FILES = (WEIGHTS, PROGRAM)
LARGEST_MODEL = 16 << 20

_BATCH = 500


def model_fn(model_dir: str) -> Network:
    """Load the unpacked bundle. Raises UnusableModel, also if it is not the one that was evaluated."""
    refuse_changed_files(Path(model_dir), MODEL_FILES)
    # The server runs a worker on each core.
    torch.set_num_threads(1)
    return load_network(Path(model_dir) / WEIGHTS)


def load_network(path: Path) -> Network:
    """The network with the weights of a file. Raises UnusableModel."""
    refuse_unsuitable_file(path)
    network = Network()
    try:
        # With weights_only, loading cannot execute code.
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # on a damaged file, torch.load may raise anything
        raise UnusableModel(f"{path.name} holds no weights for this network") from error
    if not all(torch.isfinite(values).all() for values in network.state_dict().values()):
        raise UnusableModel(f"{path.name} holds weights that are no numbers")
    network.eval()
    return network


def refuse_unsuitable_file(path: Path) -> None:
    """Raise UnusableModel unless the file is a zip archive within LARGEST_MODEL, packed and unpacked."""
    if not path.is_file():
        raise UnusableModel(f"{path.name} is missing")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except Exception as error:  # on a damaged archive, zipfile may raise anything
        raise UnusableModel(f"{path.name} is no PyTorch file") from error
    if max(size, path.stat().st_size) > LARGEST_MODEL:
        raise UnusableModel(f"{path.name} has {size:,} bytes; at most {LARGEST_MODEL:,} are loaded")


def input_fn(body: str | bytes | bytearray, content_type: str) -> Pixels:
    """The images of a request, shaped (images, 28, 28). Raises BadRequest or UnsupportedContentType."""
    return read_images(body, content_type)


def predict_fn(images: Pixels, model: Network) -> Probabilities:
    """The probability of each digit, shaped (images, 10). Raises UnusableModel."""
    with torch.inference_mode():
        parts = torch.from_numpy(images).split(_BATCH)
        found = torch.cat([torch.softmax(model(part.float()), dim=1) for part in parts])
    if not torch.isfinite(found).all():
        raise UnusableModel("predicts something that is no number")
    probabilities: Probabilities = found.numpy()
    return probabilities


def output_fn(prediction: Probabilities, accept: str) -> tuple[str, str]:
    """The response body and its content type. Raises UnacceptableType."""
    return write_predictions(prediction, accept)
