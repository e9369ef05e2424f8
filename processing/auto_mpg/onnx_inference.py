"""Between a caller's request and the tensors of `model.onnx`, whichever runtime computes them.

It accepts what `inference.py` accepts and answers as it does. numpy and the standard library only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from auto_mpg.requests import read_contents, write_predictions

# The inputs, in the order of CONTENT, and the output of the graph (`export.py`).
NUMBERS, ORIGIN, MPG = "numbers", "origin", "mpg"


def feed(request: bytes, content_type: str) -> dict[str, NDArray[Any]]:
    """The graph's inputs for a request. Raises BadRequest or UnsupportedContentType."""
    contents = read_contents(request, content_type)
    return {NUMBERS: np.ascontiguousarray(contents[:, :-1]), ORIGIN: contents[:, -1:].astype(np.int64)}


def answer(outputs: dict[str, NDArray[Any]], accept: str) -> tuple[str, str]:
    """The response body and its content type for the graph's outputs. Raises UnacceptableType."""
    return write_predictions(outputs[MPG][:, 0], accept)
