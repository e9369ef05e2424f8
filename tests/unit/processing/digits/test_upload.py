"""An upload of digits is refused before any job starts if its beginning or end shows that it is unusable."""

import gzip
import io
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.uploads import BadUpload, Counts
from digits.upload import LARGEST_FOOTER, MOST_IMAGES, check

from .footers import footer, parquet

SAMPLE = (Path(__file__).parents[4] / "data" / "digits.parquet").read_bytes()
NAME = "incoming/digits.parquet"
WAY_OUT = "upload a Parquet file with the columns image and label"
GOOD = {"image": {"bytes": None, "path": None}, "label": None}


class Stream(io.BytesIO):
    """An object in S3 as a Lambda reads it: once and forwards."""

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        assert size > 0
        return super().read(size)


def refusal(content: bytes, *, whole: bool = True) -> str:
    with pytest.raises(BadUpload) as refused:
        check(Stream(content), NAME, whole=whole)
    assert len(str(refused.value)) < 1000
    return str(refused.value).removeprefix(f"{NAME} ")


def zipped(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("digits.parquet", content)
    return stream.getvalue()


def test_the_sample_is_accepted_with_its_rows() -> None:
    assert check(Stream(SAMPLE), NAME) == Counts(rows=10_000)


def test_of_the_head_of_a_longer_file_nothing_is_known_but_its_format() -> None:
    assert check(Stream(SAMPLE[: 1 << 20]), NAME, whole=False) == Counts()


def test_columns_besides_the_two_are_ignored() -> None:
    assert check(Stream(parquet(footer({"id": None, **GOOD, "split": None}, 500))), NAME).rows == 500


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", f"is empty; {WAY_OUT}"),
        (b"PARE" + SAMPLE[4:-4] + b"PARE", "is an encrypted Parquet file; save it without encryption"),
        (gzip.compress(SAMPLE, mtime=0), "is a gzip archive; upload the Parquet file inside it"),
        (zipped(SAMPLE), f"is a zip archive, an Excel workbook or NumPy's npz; {WAY_OUT}"),
        (pickle.dumps({"image": b""}), f"is a Python pickle; {WAY_OUT}"),
        (b"\x93NUMPY\x01\0", f"is a NumPy array; {WAY_OUT}"),
        (b"ARROW1\0\0", "is an Arrow (Feather) file; save it as Parquet"),
        (b"\x89HDF\r\n\x1a\n", "is an HDF5 file; save it as Parquet"),
        (b"\x89PNG\r\n\x1a\n", f"is a single PNG image; {WAY_OUT}"),
        (b"\x00\x00\x08\x03" + bytes(12), f"is an IDX file, MNIST's original format; {WAY_OUT}"),
        (b"image,label\n1,2\n", f"is a text file such as CSV or JSON; {WAY_OUT}"),
        (b'{"image": "", "label": 1}\n', f"is a text file such as CSV or JSON; {WAY_OUT}"),
        (bytes(100), f"is no Parquet file: it does not begin with PAR1; {WAY_OUT}"),
    ],
)
def test_what_is_no_parquet_file_is_refused(content: bytes, message: str, whole: bool) -> None:
    assert refusal(content, whole=whole) == message


CUT_OFF = "is cut off: a Parquet file ends with PAR1; upload the whole file"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SAMPLE[:-1], CUT_OFF),
        (SAMPLE[: len(SAMPLE) // 2], CUT_OFF),
        (b"PAR1", CUT_OFF),
        (b"PAR1PAR1", CUT_OFF),
        (SAMPLE + b"\n", CUT_OFF),
        (
            b"PAR1" + bytes(4) + b"PAR1",
            "is damaged: its footer cannot have 0 bytes; write the Parquet file again",
        ),
        (
            b"PAR1" + b"\xff\xff\xff\x7f" + b"PAR1",
            "is damaged: its footer cannot have 2,147,483,647 bytes; write the Parquet file again",
        ),
        (
            parquet(bytes(LARGEST_FOOTER + 1)),
            "has a footer of 4,194,305 bytes; write it with fewer, larger row groups",
        ),
        (parquet(b"\xff" * 20), "has a damaged footer; write the Parquet file again"),
        (
            parquet(footer({"img": {"bytes": None}, "digit": None}, 500)),
            'has the columns "img", "digit"; expected image (a struct with the field bytes, a PNG file) '
            "and label (0 to 9)",
        ),
        (
            parquet(footer({f"pixel{n}": None for n in range(784)}, 500)),
            'has the columns "pixel0", "pixel1", "pixel2", "pixel3", "pixel4", …; expected image (a struct with '
            "the field bytes, a PNG file) and label (0 to 9)",
        ),
        (
            parquet(footer({}, 500)),
            "has no columns; expected image (a struct with the field bytes, a PNG file) and label (0 to 9)",
        ),
        (
            parquet(footer({"image": None, "label": None}, 500)),
            "has a column image that is no struct with the field bytes; put each PNG file into image.bytes",
        ),
        (
            parquet(footer(GOOD, 199)),
            "has 199 rows; at least 200 are needed to train, validate and test a model",
        ),
        (
            parquet(footer(GOOD, MOST_IMAGES + 1)),
            "has 300,001 rows; at most 300,000 can be used. Upload it in smaller files",
        ),
    ],
)
def test_a_parquet_file_that_cannot_be_used_is_refused(content: bytes, message: str) -> None:
    assert refusal(content) == message


def test_names_from_the_file_cannot_break_a_message() -> None:
    message = refusal(parquet(footer({f"a\n\x1b[31m\u202e{n}" * 50: None for n in range(40)}, 500)))
    assert message.isprintable()
    assert len(message) < 500


@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_any_bytes_are_accepted_or_refused(content: bytes, framed: bool, whole: bool) -> None:
    with suppress(BadUpload):
        check(Stream(parquet(content) if framed else content), NAME, whole=whole)
