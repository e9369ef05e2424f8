"""A file of images to predict: Parquet as for training, with or without labels, or a single PNG image."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.uploads import BadUpload
from digits.inference import input_fn
from digits.pictures import encode
from digits.requests import JSON_LINES
from digits.rows import rows

PIXELS = np.arange(3 * 784, dtype=np.uint8).reshape(3, 28, 28)
PICTURES = [encode(pixels) for pixels in PIXELS]


def write(folder: Path, columns: dict[str, object]) -> Path:
    pq.write_table(pa.table(columns), folder / "few.parquet")
    return folder / "few.parquet"


@pytest.mark.parametrize("labels", [{}, {"label": [1, 2, None]}])
def test_every_image_of_a_parquet_file_is_a_row(tmp_path: Path, labels: dict[str, object]) -> None:
    path = write(tmp_path, {"image": [{"bytes": png, "path": None} for png in PICTURES], **labels})
    found = input_fn("\n".join(rows(path, "few.parquet")), JSON_LINES)
    assert np.array_equal(found, PIXELS)


def test_a_png_image_is_one_row(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(PICTURES[0])
    [line] = rows(tmp_path / "one.png", "one.png")
    assert json.loads(line).keys() == {"image"}
    assert np.array_equal(input_fn(line, JSON_LINES), PIXELS[:1])


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"image": [{"bytes": PICTURES[0]}, {"bytes": None}]}, "few.parquet, row 2 has no image"),
        ({"image": pa.array([], pa.struct({"bytes": pa.binary()}))}, "few.parquet has no rows"),
        ({"picture": [1]}, "few.parquet is neither a PNG image nor a Parquet file with the column image"),
        ({"image": [b"1"]}, "few.parquet is neither a PNG image nor a Parquet file with the column image"),
        ({"image": [{"bytes": 7}]}, "few.parquet is neither a PNG image nor a Parquet file with the column image"),
    ],
)  # fmt: skip
def test_a_file_without_images_is_refused(tmp_path: Path, columns: dict[str, object], problem: str) -> None:
    with pytest.raises(BadUpload) as refused:
        list(rows(write(tmp_path, columns), "few.parquet"))
    assert str(refused.value).startswith(problem)


@pytest.mark.parametrize("content", [b"", b"x", b"PAR1" + b"x" * 50 + b"PAR1"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BadUpload, match="x is neither a PNG image nor a Parquet file"):
        list(rows(tmp_path / "x", "x"))
