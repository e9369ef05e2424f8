"""What a caller of the model may send, and what comes back."""

import base64
import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.serving import BadRequest, UnacceptableType, UnsupportedContentType, UnusableModel, files_digest
from digits import inference
from digits.inference import MODEL_FILES, input_fn, model_fn, output_fn, predict_fn
from digits.onnx_inference import feed
from digits.pictures import Pixels, request_line
from digits.requests import JSON, JSON_LINES
from tests.unit.processing.digits.pytorch.helpers import Rows, png

EXPECTED = 'expected {"image": "<PNG in base64>"}'


@pytest.fixture
def bundle(tmp_path: Path, untrained: Path) -> Path:
    """An unpacked bundle with a network that has learned nothing."""
    shutil.copytree(untrained, tmp_path, dirs_exist_ok=True)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "inference.py").write_text("# the code\n")
    return tmp_path


def line(content: bytes, **others: object) -> str:
    return json.dumps({"image": base64.b64encode(content).decode(), **others})


def refusal(body: str | bytes, content_type: str = JSON_LINES) -> str:
    with pytest.raises(BadRequest) as refused:
        input_fn(body, content_type)
    with pytest.raises(BadRequest, match=f"^{re.escape(str(refused.value))}$"):
        feed(body.encode() if isinstance(body, str) else body, content_type)
    return str(refused.value)


def test_every_line_is_answered_with_a_line(bundle: Path, sample: Rows, sample_pixels: Pixels) -> None:
    body = "\n".join(line(content) for content, _ in sample[:600])
    images = input_fn(body, JSON_LINES)
    assert np.array_equal(images, sample_pixels[:600])
    prediction = predict_fn(images, model_fn(str(bundle)))
    answer, content_type = output_fn(prediction, JSON_LINES)
    assert content_type == JSON_LINES
    answers = [json.loads(text) for text in answer.splitlines()]
    assert len(answers) == 600
    for found, row in zip(answers, prediction, strict=True):
        assert found["label"] == int(row.argmax())
        assert found["probabilities"] == pytest.approx(row.tolist(), abs=1e-6)
        assert sum(found["probabilities"]) == pytest.approx(1, abs=1e-5)
        assert found["probability"] == max(found["probabilities"])


def test_an_image_is_predicted_the_same_alone_and_among_others(bundle: Path, sample_pixels: Pixels) -> None:
    model = model_fn(str(bundle))
    together = predict_fn(sample_pixels[:20], model)
    alone = np.concatenate([predict_fn(sample_pixels[row : row + 1], model) for row in range(20)])
    assert together == pytest.approx(alone, abs=1e-6)


def test_a_single_picture_may_be_sent_as_it_is(sample: Rows, sample_pixels: Pixels) -> None:
    content, _ = sample[0]
    assert np.array_equal(input_fn(content, "image/png"), sample_pixels[:1])
    assert np.array_equal(input_fn(bytearray(content), "Image/PNG; q=1"), sample_pixels[:1])
    assert refusal(b"no picture", "image/png") == "the image is no PNG file"


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_line_ends_byte_order_marks_and_other_keys_do_not_matter(
    sample: Rows, sample_pixels: Pixels, end: str
) -> None:
    separator = end or "\n"
    body = separator.join(line(content, id=7) for content, _ in sample[:3]) + end
    for sent in (body, body.encode(), b"\xef\xbb\xbf" + body.encode()):
        assert np.array_equal(input_fn(sent, f"{JSON_LINES}; charset=utf-8"), sample_pixels[:3])


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("", f"is empty; {EXPECTED}"),
        ("  ", f"is empty; {EXPECTED}"),
        ("{", f"no JSON; {EXPECTED}"),
        ("[" * 100_000, f"no JSON; {EXPECTED}"),
        ("[]", f"no text under the key image; {EXPECTED}"),
        ("{}", f"no text under the key image; {EXPECTED}"),
        ('{"image": 1}', f"no text under the key image; {EXPECTED}"),
        ('{"image": "ä"}', "the image is not encoded in base64"),
        ('{"image": "A"}', "the image is not encoded in base64"),
        (
            line(png(np.zeros((28, 28), np.uint8))).replace("iVBOR", "iVBOR*"),
            "the image is not encoded in base64",
        ),
        ('{"image": ""}', "the image is empty"),
        (line(b"abc"), "the image is no PNG file"),
        (line(png(np.zeros((1000, 1000), np.uint8))), "the image is 1,000 x 1,000 pixels; expected 28 x 28"),
        (line(bytes(10**6)), "the image is too large; at most 16,384 bytes are read"),
    ],
)
def test_a_record_that_is_no_digit_is_named(sample: Rows, record: str, message: str) -> None:
    good = line(sample[0][0])
    assert refusal(f"{good}\n{record}\n{good}").startswith("record 2: ")
    assert refusal(f"{good}\n{record}\n{good}").removeprefix("record 2: ") == message


def test_a_body_that_is_no_text_is_refused() -> None:
    assert refusal(b"\xff\xfe") == "the body is not encoded in UTF-8"
    assert refusal(b"") == f"record 1: is empty; {EXPECTED}"


@given(
    st.binary(max_size=300) | st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    st.sampled_from([JSON_LINES, "image/png"]),
)
def test_any_body_is_read_or_refused(body: bytes | str, content_type: str) -> None:
    refusal(body, content_type)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
)


@given(st.dictionaries(st.sampled_from(["image", "label", ""]), JSON_VALUES, max_size=3))
def test_any_record_is_read_or_refused(record: Mapping[str, object]) -> None:
    assert refusal(json.dumps(record)).startswith("record 1: ")


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_record_is_read_or_refused(position: int, byte: int) -> None:
    body = bytearray(request_line(np.zeros((28, 28), np.uint8)).encode())
    body[position] = byte
    with suppress(BadRequest):
        assert input_fn(bytes(body), JSON_LINES).shape == (1, 28, 28)


@pytest.mark.parametrize("content_type", ["", "text/csv", "application/json", "application/x-npy"])
def test_other_content_types_are_refused(content_type: str) -> None:
    with pytest.raises(UnsupportedContentType, match="send application/jsonlines or image/png"):
        input_fn(b"", content_type)


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("application/jsonlines", "application/jsonlines"),
        ("*/*", "application/jsonlines"),
        ("application/*", "application/jsonlines"),
        ("application/json", "application/json"),
        ("Application/JSON; q=0.9, */*", "application/json"),
        ("application/json, application/jsonlines", "application/jsonlines"),
    ],
)
def test_the_answer_is_json_in_one_of_two_forms(accept: str, given: str) -> None:
    prediction = np.eye(10, dtype=np.float32)[[3, 8]]
    body, content_type = output_fn(prediction, accept)
    assert content_type == given
    answers = json.loads(body)["predictions"] if given == JSON else list(map(json.loads, body.splitlines()))
    assert [answer["label"] for answer in answers] == [3, 8]


def test_other_answers_cannot_be_given() -> None:
    with pytest.raises(UnacceptableType, match="accept application/jsonlines or application/json"):
        output_fn(np.eye(10, dtype=np.float32), "text/csv")


def unusable(folder: Path) -> str:
    with pytest.raises(UnusableModel) as refused:
        model_fn(str(folder))
    return str(refused.value)


def test_only_the_files_that_were_evaluated_are_served(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_FILES_DIGEST", files_digest(bundle, MODEL_FILES))
    assert model_fn(str(bundle))
    (bundle / "code" / "inference.py").write_text("# other code\n")
    assert unusable(bundle) == "its files are not those that were evaluated"
    (bundle / "model.pt").unlink()
    assert unusable(bundle) == "model.pt is missing"


class Evil:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_loading_weights_runs_no_code_of_theirs(bundle: Path) -> None:
    torch.save({"layers.0.weight": Evil(bundle / "made")}, bundle / "model.pth")
    assert unusable(bundle) == "model.pth holds no weights for this network"
    assert not (bundle / "made").exists()


def test_weights_that_do_not_fit_are_refused(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bundle / "model.pth"
    state = torch.load(path, weights_only=True)
    others: tuple[object, ...] = ({}, [], 1, {"layers.0.weight": 1}, {**state, "more": torch.zeros(1)})
    for other in others:
        torch.save(other, path)
        assert unusable(bundle) == "model.pth holds no weights for this network"
    torch.save({**state, "layers.0.weight": state["layers.0.weight"] * float("nan")}, path)
    assert unusable(bundle) == "model.pth holds weights that are no numbers"
    for damaged in (b"", b"no zip file", (bundle / "model.pt").read_bytes()[:-100]):
        path.write_bytes(damaged)
        assert unusable(bundle) == "model.pth is no PyTorch file"
    path.unlink()
    assert unusable(bundle) == "model.pth is missing"
    torch.save(state, path)
    monkeypatch.setattr(inference, "LARGEST_MODEL", 1000)
    assert "at most 1,000 are loaded" in unusable(bundle)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@given(st.floats(0, 1), st.binary(min_size=1, max_size=8))
def test_damaged_weights_are_loaded_or_refused(untrained: Path, place: float, damage: bytes) -> None:
    path, content = untrained.with_name("damaged.pth"), bytearray((untrained / "model.pth").read_bytes())
    position = int(place * (len(content) - len(damage)))
    content[position : position + len(damage)] = damage
    path.write_bytes(content)
    with suppress(UnusableModel):
        inference.load_network(path)
