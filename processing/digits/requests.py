"""What callers send to a model of digits, and what they get: the same, whichever library predicts.

numpy and the standard library only.
"""

from __future__ import annotations

import base64
import binascii
import json

import numpy as np
from numpy.typing import NDArray

from common.serving import BadRequest, UnacceptableType, UnsupportedContentType, accepted, media_type
from digits.pictures import LARGEST_PNG, BadPicture, Pixels, decode

JSON, JSON_LINES, PNG = "application/json", "application/jsonlines", "image/png"

Probabilities = NDArray[np.float32]

_DECIMALS = 6


def read_images(body: str | bytes | bytearray, content_type: str) -> Pixels:
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


def write_predictions(prediction: Probabilities, accept: str) -> tuple[str, str]:
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
