"""The function with the ONNX model answers as the endpoint with the native one: every body, type and mistake."""

from pathlib import Path
from typing import Any

import pytest

from auto_mpg import inference
from auto_mpg.export import export
from common.answering import answer as endpoint_answer
from serving import model as served
from serving.answering import answer
from tests.unit.processing.conftest import sha256

CAR = "8,307,130,3504,12,70,1,some car"
BODIES = [
    f"{CAR}\n",
    f"{CAR}\r\n4,91,,1970,17.6,82,3\n",
    f'{CAR}\n4,91,?,1970,17.6,82,japan,"a, b"\n',
    "",
    "\n",
    "8,307\n",
    "8,307,130,-1,12,70,1\n",
    "8,307,130,nan,12,70,1\n",
    "8,307,130,1e999,12,70,1\n",
    "8,307,130,3504,12,70,9\n",
    f"{CAR}\n\n{CAR}\n",
    '[{"weight": 1}]',
    "é\x00",
]
TYPES = [("text/csv", "text/csv"), ("Text/CSV; charset=utf-8", "application/json"), ("text/csv", ""), ("text/csv", "image/png"), ("text/plain", "*/*")]  # fmt: skip


@pytest.fixture
def models(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The native model, and the same as ONNX."""
    path = tmp_path / "model.onnx"
    export(bundle, path)
    monkeypatch.setattr(served, "_read", lambda bucket, key: path.read_bytes())
    return inference.model_fn(str(bundle)), served.load("bucket", "key", sha256(path), "auto_mpg")


@pytest.mark.parametrize(("content_type", "accept"), TYPES)
def test_the_function_answers_as_the_endpoint_does(
    models: tuple[Any, Any], content_type: str, accept: str
) -> None:
    for body in BODIES:
        compare(*models, body, content_type, accept)


def compare(native: Any, as_onnx: Any, body: str, content_type: str, accept: str) -> None:
    expected = endpoint_answer(inference, native, body.encode(), content_type, accept)
    found = answer(as_onnx, {"content_type": content_type, "accept": accept, "body": body})
    assert found["status"] == expected.status.value
    assert found.get("body", found.get("error")) == expected.body
    assert found.get("content_type", expected.content_type) == expected.content_type
