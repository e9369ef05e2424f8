"""Between a caller's request and the tensors of `model.onnx`, whichever runtime computes them.

It accepts what `inference.py` accepts and answers as it does. numpy and the standard library only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from digits.requests import read_images, write_predictions

# The input and the output of the graph (`export.py`).
IMAGES, PROBABILITIES = "images", "probabilities"


def feed(request: bytes, content_type: str) -> dict[str, NDArray[Any]]:
    """The graph's input for a request. Raises BadRequest or UnsupportedContentType."""
    return {IMAGES: read_images(request, content_type).astype(np.float32)}


def answer(outputs: dict[str, NDArray[Any]], accept: str) -> tuple[str, str]:
    """The response body and its content type for the graph's output. Raises UnacceptableType."""
    return write_predictions(outputs[PROBABILITIES], accept)
