"""What the tests of digits share that need Pillow and pyarrow."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).resolve().parents[5]
SAMPLE = ROOT / "data" / "digits.parquet"
LAYOUT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

Rows = list[tuple[bytes, int]]
"""A PNG file and a label each."""


def png(pixels: NDArray[np.generic], kind: str = "PNG") -> bytes:
    """A picture as other programs write it."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def write_table(path: Path, images: Sequence[bytes | None], labels: Sequence[int | None]) -> Path:
    """A Parquet file in the layout of the sample."""
    structs = [{"bytes": content, "path": f"{number}.png"} for number, content in enumerate(images)]
    table = pa.table({"image": pa.array(structs, LAYOUT), "label": pa.array(labels, pa.int64())})
    pq.write_table(table, path)
    return path


def forget_the_project(patch: pytest.MonkeyPatch) -> None:
    """Make this interpreter one that can import libraries, but nothing of the project, and has not done so. A new
    process would take seconds to import PyTorch."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("common", "digits")]:
        patch.delitem(sys.modules, name)
    own = (ROOT, ROOT / "processing")
    patch.setattr(sys, "path", [each for each in sys.path if Path(each).resolve() not in own])
