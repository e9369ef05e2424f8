"""The model's interface: images of digits in, one prediction for each image out.

SageMaker's PyTorch image calls these functions, and evaluation does as well, so training and serving cannot
drift apart. The weights are loaded into `model.Network`; `model.pt` is for programs without Python.
"""

from __future__ import annotations

import base64
import binascii
import json
import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from common.serving import (
    BadRequest,
    UnacceptableType,
    UnsupportedContentType,
    UnusableModel,
    accepted,
    media_type,
    refuse_changed_files,
)
from digits.model import Network
from digits.pictures import LARGEST_PNG, BadPicture, Pixels, decode

WEIGHTS = "model.pth"
PROGRAM = "model.pt"
MODEL_FILES = (WEIGHTS, PROGRAM)
LARGEST_MODEL = 16 << 20

JSON, JSON_LINES, PNG = "application/json", "application/jsonlines", "image/png"

Probabilities = NDArray[np.float32]

_BATCH = 500
_DECIMALS = 6


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
    """The images of a request, shaped (images, 28, 28).

    JSON lines have one image a line, `{"image": "<PNG in base64>"}`; other keys are ignored. An empty line is
    an error, because a batch transform joins predictions to input lines by position. `image/png` is one
    image. Raises BadRequest or UnsupportedContentType.
    """
    kind = media_type(content_type)
    if kind == JSON_LINES:
        return np.stack([_read_record(line, number) for number, line in enumerate(_lines(body), start=1)])
    if kind == PNG:
        return _decode(body.encode() if isinstance(body, str) else bytes(body), "the image")[np.newaxis]
    raise UnsupportedContentType(f"content type {content_type} is not supported; send {JSON_LINES} or {PNG}")


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
    """The response body and its content type: a JSON object a line, or all in one JSON object.

    Raises UnacceptableType.
    """
    answers = [_answer(row) for row in prediction]
    wanted = accepted(accept)
    if JSON_LINES not in wanted and JSON in wanted:
        return json.dumps({"predictions": answers}), JSON
    if not {JSON_LINES, "application/*", "*/*"}.isdisjoint(wanted):
        return "".join(f"{json.dumps(answer)}\n" for answer in answers), JSON_LINES
    raise UnacceptableType(f"{accept} cannot be given; accept {JSON_LINES} or {JSON}")


def _answer(row: Probabilities) -> dict[str, object]:
    probabilities = [round(float(value), _DECIMALS) for value in row]
    label = int(row.argmax())
    return {"label": label, "probability": probabilities[label], "probabilities": probabilities}


def _lines(body: str | bytes | bytearray) -> list[str]:
    try:
        text = body if isinstance(body, str) else bytes(body).decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("the body is not encoded in UTF-8") from None
    lines = text.removeprefix("\ufeff").removesuffix("\n").removesuffix("\r").split("\n")
    return [line.removesuffix("\r") for line in lines]


def _read_record(line: str, number: int) -> Pixels:
    place = f"record {number}"
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise BadRequest(f"{place}: {'no JSON' if line.strip() else 'is empty'}; {_EXPECTED}") from None
    if not isinstance(record, dict) or not isinstance(record.get("image"), str):
        raise BadRequest(f"{place}: no text under the key image; {_EXPECTED}")
    if len(record["image"]) > 2 * LARGEST_PNG:
        raise BadRequest(f"{place}: the image is too large; at most {LARGEST_PNG:,} bytes are read")
    try:
        content = base64.b64decode(record["image"], validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest(f"{place}: the image is not encoded in base64") from None
    return _decode(content, f"{place}: the image")


_EXPECTED = 'expected {"image": "<PNG in base64>"}'


def _decode(content: bytes, name: str) -> Pixels:
    try:
        return decode(content)
    except BadPicture as bad:
        raise BadRequest(f"{name} {bad}") from None
