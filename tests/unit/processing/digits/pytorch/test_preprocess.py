"""Preprocessing splits the images by their content, or refuses the file with the first things that are wrong."""

import base64
import io
import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from common.cluster import Local
from common.preprocessing import Prepared
from common.uploads import BadUpload
from digits.pictures import Pixels
from digits.preprocess import prepare, prepare_all
from tests.unit.processing.digits.pytorch.helpers import LAYOUT, SAMPLE, Rows, png, write_table

PARTS = ("train", "validation", "test")


def read(output: Path, part: str) -> tuple[Pixels, np.ndarray]:
    pixels, labels = (
        np.load(output / part / f"{name}.npy", allow_pickle=False) for name in ("images", "labels")
    )
    return pixels, labels


def contents(output: Path) -> dict[str, bytes]:
    return {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*") if path.is_file()}


def prepared(folder: Path, rows: Sequence[tuple[bytes | None, int | None]]) -> tuple[Prepared, Path]:
    images, labels = zip(*rows, strict=True)
    shutil.rmtree(folder / "output", ignore_errors=True)
    upload = write_table(folder / "digits.parquet", images, labels)
    return prepare(upload, "digits.parquet", folder / "output", Local(workers=1)), folder / "output"


def refusal(upload: Path) -> str:
    with pytest.raises(BadUpload) as refused:
        prepare(upload, "digits.parquet", upload.parent / "output", Local(workers=1))
    assert len(str(refused.value)) < 1000
    return str(refused.value)


@pytest.fixture
def refused(tmp_path: Path, sample: Rows) -> Callable[..., str]:
    """The message for the sample with other rows in front."""

    def refuse(*rows: tuple[bytes | None, int | None]) -> str:
        images, labels = zip(*rows, *sample, strict=True)
        return refusal(write_table(tmp_path / "digits.parquet", images, labels))

    return refuse


@pytest.fixture
def changed(tmp_path: Path, sample: Rows) -> Callable[..., str]:
    """The message for the sample with other columns."""

    def change(**columns: pa.Array) -> str:
        image = pa.array([{"bytes": content, "path": ""} for content, _ in sample], LAYOUT)
        table = pa.table({"image": image, "label": [label for _, label in sample]} | columns)
        pq.write_table(table, tmp_path / "digits.parquet")
        return refusal(tmp_path / "digits.parquet")

    return change


def test_the_parts_hold_70_15_and_15_percent_of_the_images_and_the_batch_those_of_the_test(
    tmp_path: Path, sample: Rows, sample_pixels: Pixels
) -> None:
    found, output = prepared(tmp_path, sample)
    assert found.rows == {
        "uploaded": 1000, "labelled": 1000, "unlabelled": 0, "train": 700, "validation": 150, "test": 150, "batch": 150,
    }  # fmt: skip
    assert found.warnings == []
    expected = {pixels.tobytes(): label for pixels, (_, label) in zip(sample_pixels, sample, strict=True)}
    seen: dict[bytes, int] = {}
    for part in PARTS:
        pixels, labels = read(output, part)
        assert pixels.dtype == np.uint8
        assert found.report["labels"][part] == {str(n): int((labels == n).sum()) for n in range(10)}
        seen |= {image.tobytes(): int(label) for image, label in zip(pixels, labels, strict=True)}
    assert seen == expected


def test_a_line_of_the_batch_is_a_request(tmp_path: Path, sample: Rows) -> None:
    _, output = prepared(tmp_path, sample)
    lines = (output / "batch" / "batch.jsonl").read_text().splitlines()
    images = [Image.open(io.BytesIO(base64.b64decode(json.loads(line)["image"]))) for line in lines]
    pixels, _ = read(output, "test")
    assert np.array_equal(np.stack([np.asarray(image) for image in images]), pixels)


def test_the_same_images_give_the_same_bytes_whatever_their_order_and_encoding(
    tmp_path: Path, sample: Rows, sample_pixels: Pixels
) -> None:
    contradicting = [(content, 9 - label) for content, label in sample[:5]]
    _, output = prepared(tmp_path, [*sample, *contradicting])
    first = contents(output)
    encoded_again = [(png(pixels), label) for pixels, (_, label) in zip(sample_pixels, sample, strict=True)]
    _, output = prepared(tmp_path, [*contradicting, *encoded_again[::-1]])
    assert contents(output) == first


def test_duplicates_stay_together_and_contradictions_are_reported(tmp_path: Path, sample: Rows) -> None:
    wrong = [(content, (label + 1) % 10) for content, label in sample[:3]]
    found, output = prepared(tmp_path, [*sample, *sample[500:], *wrong])
    assert found.warnings == ["Images that occur more than once with different labels: 3."]
    images = [{image.tobytes() for image in read(output, part)[0]} for part in PARTS]
    assert [len(part) for part in images] == [700, 150, 150]
    assert not images[0] & images[1] | images[0] & images[2] | images[1] & images[2]


def test_images_without_a_label_are_predicted_first_and_not_learned_from(
    tmp_path: Path, sample: Rows
) -> None:
    found, output = prepared(tmp_path, [*((content, None) for content, _ in sample[900:]), *sample[:900]])
    assert (found.rows["labelled"], found.rows["unlabelled"], found.rows["batch"]) == (900, 100, 235)
    lines = (output / "batch" / "batch.jsonl").read_text().splitlines()
    assert len(lines) == 235


def test_the_sample_is_prepared_without_a_warning(tmp_path: Path) -> None:
    found = prepare(SAMPLE, "digits.parquet", tmp_path, Local(workers=1))
    assert (found.rows["train"], found.rows["validation"], found.rows["test"]) == (7000, 1500, 1500)
    assert found.warnings == []


BOMB = png(np.zeros((1000, 1000), np.uint8))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((BOMB, 1), "the image is 1,000 x 1,000 pixels; expected 28 x 28"),
        ((b"", 1), "the image is empty"),
        ((None, 1), "the image is missing; the PNG file must be in image.bytes, a path alone is not enough"),
        ((b"\xff\xd8\xff", 1), "the image is a JPEG image; save it as PNG"),
        ((b"\x89PNG\r\n\x1a\n" + bytes(10**7), 1), "the image is no PNG file"),
        (
            (png(np.zeros((28, 28, 3), np.uint8)), 1),
            "the image is colour, 8 bit a channel; expected grey, 8 bit",
        ),
    ],
)
def test_an_image_that_is_no_digit_is_refused_with_its_row(
    refused: Callable[..., str], sample: Rows, row: tuple[bytes, int], message: str
) -> None:
    assert refused(sample[0], row) == f"digits.parquet, row 2: {message}"


@pytest.mark.parametrize("label", [-1, 10, 2**63 - 1, -(2**63)])
def test_a_label_that_is_no_digit_is_refused(refused: Callable[..., str], sample: Rows, label: int) -> None:
    message = f"digits.parquet, row 1: the label is {label}; expected 0 to 9, or null for an image to predict"
    assert refused((sample[0][0], label)) == message


def test_the_first_five_problems_are_shown_and_the_others_counted(
    refused: Callable[..., str], sample: Rows
) -> None:
    lines = refused(*[(b"", 11)] * 1500).splitlines()
    assert lines[:2] == [
        "digits.parquet, row 1: the label is 11; expected 0 to 9, or null for an image to predict",
        "row 1: the image is empty",
    ]
    assert len(lines) == 6
    assert lines[5] == "and 2,995 more"


def test_nine_classes_are_refused(tmp_path: Path, sample: Rows) -> None:
    rows = [(content, label) for content, label in sample if label != 4]
    upload = write_table(tmp_path / "digits.parquet", *zip(*rows, strict=True))
    assert refusal(upload) == "digits.parquet has no image with the label 4; all of 0 to 9 are needed"


def test_too_few_images_are_refused(tmp_path: Path, sample: Rows) -> None:
    upload = write_table(tmp_path / "digits.parquet", *zip(*sample[:199], strict=True))
    assert "has 199 rows" in refusal(upload)
    upload = write_table(tmp_path / "digits.parquet", *zip(*[*sample[:199], sample[0]], strict=True))
    assert "has too few" in refusal(upload)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": pa.array(["1"] * 1000)}, "has a column label of type string; expected whole numbers from 0 to 9"),
        ({"label": pa.array([1.0] * 1000)}, "has a column label of type double; expected whole numbers from 0 to 9"),
        ({"image": pa.array([b""] * 1000)}, "has a column image that is no struct with the field bytes; put each PNG file into image.bytes"),
        ({"image": pa.array([{"bytes": "a"}] * 1000)}, "has a column image of type string; expected a struct with the field bytes (binary)"),
        ({"image": pa.array([[{"bytes": b"a"}]] * 1000)}, "has a column image that is no struct with the field bytes; put each PNG file into image.bytes"),
    ],
)  # fmt: skip
def test_columns_of_other_types_are_refused(
    changed: Callable[..., str], columns: dict[str, pa.Array], message: str
) -> None:
    assert changed(**columns) == f"digits.parquet {message}"


def test_columns_besides_the_two_are_ignored_and_any_size_of_integer_will_do(
    tmp_path: Path, sample: Rows
) -> None:
    image = pa.array([{"bytes": content} for content, _ in sample], pa.struct([("bytes", pa.large_binary())]))
    labels = pa.array([label for _, label in sample], pa.uint8())
    pq.write_table(
        pa.table({"id": range(1000), "label": labels, "image": image}), tmp_path / "digits.parquet"
    )
    assert (
        prepare(tmp_path / "digits.parquet", "digits.parquet", tmp_path / "output", Local(workers=1)).rows[
            "labelled"
        ]
        == 1000
    )


DAMAGED = "digits.parquet is damaged or cut off; write the Parquet file again and upload it whole"


@pytest.mark.parametrize("length", [0, 4, 1000, 200_000, 500_000])
def test_a_truncated_file_is_refused(tmp_path: Path, length: int) -> None:
    upload = tmp_path / "digits.parquet"
    upload.write_bytes(SAMPLE.read_bytes()[:length])
    assert refusal(upload) == DAMAGED


def test_damage_in_the_middle_of_the_data_is_refused(tmp_path: Path) -> None:
    upload, content = tmp_path / "digits.parquet", bytearray(SAMPLE.read_bytes())
    content[1_000_000:1_000_400] = bytes(400)
    upload.write_bytes(content)
    assert refusal(upload)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, sample: Rows) -> bytes:
    """A file of as many images as are needed."""
    path = tmp_path_factory.mktemp("small") / "digits.parquet"
    return write_table(path, *zip(*sample[:201], strict=True)).read_bytes()


@given(st.floats(0, 1), st.binary(min_size=1, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_survived_or_refused(tmp_path: Path, small: bytes, place: float, damage: bytes) -> None:
    content = bytearray(small)
    position = int(place * (len(content) - len(damage)))
    content[position : position + len(damage)] = damage
    upload = tmp_path / "digits.parquet"
    upload.write_bytes(content)
    with suppress(BadUpload):
        prepare(upload, "digits.parquet", tmp_path / "output", Local(workers=1))


def test_of_several_uploads_the_latest_with_a_label_counts(tmp_path: Path, sample: Rows) -> None:
    def written(name: str, rows: Sequence[tuple[bytes | None, int | None]]) -> tuple[Path, str]:
        images, labels = zip(*rows, strict=True)
        return write_table(tmp_path / name, images, labels), f"incoming/digits/{name}"

    relabelled = [(image, 9 - (label or 0)) for image, label in sample[:5]]
    late = [(image, None) for image, _ in sample[5:10]]
    first, second = written("a.parquet", sample), written("b.parquet", [*relabelled, *late, *sample[10:]])
    both = prepare_all([first, second], tmp_path / "both", Local(workers=1))
    shutil.rmtree(tmp_path / "output", ignore_errors=True)
    expected, output = prepared(tmp_path, [*relabelled, *sample[5:]])
    assert {**both.rows, "uploaded": len(sample)} == {**expected.rows, "replaced": len(sample)}
    assert {
        name: content for name, content in contents(tmp_path / "both").items() if "batch" not in name
    } == {name: content for name, content in contents(output).items() if "batch" not in name}


def test_uploads_that_are_too_many_images_together_are_refused_by_all_their_names(
    tmp_path: Path, sample: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = zip(*sample, strict=True)
    files = [(write_table(tmp_path / f"{name}.parquet", images, labels), f"{name}.parquet") for name in "ab"]
    monkeypatch.setattr("digits.upload.MOST_IMAGES", 2 * len(sample) - 1)
    with pytest.raises(BadUpload, match=r"^b\.parquet with 1 earlier file has .* at most"):
        prepare_all(files, tmp_path / "output", Local(workers=1))
