"""The quick check of an upload of digits, before any job starts. Standard library only.

It reads the beginning and the end of the Parquet file; the preprocessing job reads every image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from common.text import quote, shown_name
from common.uploads import BadUpload, Counts
from digits.parquet_footer import BadFooter, parse

COLUMNS = ("image", "label")
LEAVES = ("image.bytes", "label")
# Of 200 images, 30 test the model. The job also counts each class.
FEWEST_IMAGES = 200
# Four times all of MNIST. The job holds them as 784 bytes each.
MOST_IMAGES = 300_000
LARGEST_FOOTER = 4 << 20

_MAGIC = b"PAR1"
_CHUNK = 1 << 20
_WAY_OUT = "upload a Parquet file with the columns image and label"
_OTHER_FORMATS = {
    b"PARE": "is an encrypted Parquet file; save it without encryption",
    b"\x1f\x8b": "is a gzip archive; upload the Parquet file inside it",
    b"PK\x03\x04": f"is a zip archive, an Excel workbook or NumPy's npz; {_WAY_OUT}",
    b"\x93NUMPY": f"is a NumPy array; {_WAY_OUT}",
    b"\x80": f"is a Python pickle; {_WAY_OUT}",
    b"ARROW1": "is an Arrow (Feather) file; save it as Parquet",
    b"ORC": "is an ORC file; save it as Parquet",
    b"Obj\x01": "is an Avro file; save it as Parquet",
    b"\x89HDF": "is an HDF5 file; save it as Parquet",
    b"\x89PNG": f"is a single PNG image; {_WAY_OUT}",
    b"\xff\xd8\xff": f"is a single JPEG image; {_WAY_OUT}",
    b"\x00\x00\x08": f"is an IDX file, MNIST's original format; {_WAY_OUT}",
}


def check(stream: BinaryIO, name: str, *, whole: bool = True) -> Counts:
    """Refuse a file that is not Parquet of the right layout. Raises BadUpload, whose message calls it `name`.

    With `whole=False` the stream is the head of a longer file, without its footer. Calls only
    `stream.read(size)`. The footer does not say how many rows have labels.
    """
    head, tail, size = _read_ends(stream)
    if problem := _problem_of_head(head) or (whole and _problem_of_end(tail, size)):
        raise BadUpload(f"{shown_name(name)} {problem}")
    if not whole:
        return Counts()
    try:
        footer = parse(tail[-8 - _footer_size(tail) : -8])
    except BadFooter:
        raise BadUpload(f"{shown_name(name)} has a damaged footer; write the Parquet file again") from None
    if problem := problem_of_columns(footer.columns) or problem_of_rows(footer.rows):
        raise BadUpload(f"{shown_name(name)} {problem}")
    return Counts(rows=footer.rows)


def problem_of_columns(leaves: Sequence[str]) -> str | None:
    """What is wrong with these columns, given by their paths. Columns besides the two are ignored."""
    if set(LEAVES) <= set(leaves):
        return None
    found = list(dict.fromkeys(leaf.partition(".")[0] for leaf in leaves))
    shown = ", ".join(map(quote, found[:5])) + (", …" if len(found) > 5 else "")
    if set(COLUMNS) <= set(found):
        return "has a column image that is no struct with the field bytes; put each PNG file into image.bytes"
    return (
        f"has {f'the columns {shown}' if found else 'no columns'}; expected image (a struct with the field "
        "bytes, a PNG file) and label (0 to 9)"
    )


def problem_of_rows(rows: int) -> str | None:
    """What is wrong with this number of rows."""
    if rows < FEWEST_IMAGES:
        return f"has {rows:,} rows; at least {FEWEST_IMAGES} are needed to train, validate and test a model"
    if rows > MOST_IMAGES:
        return f"has {rows:,} rows; at most {MOST_IMAGES:,} can be used. Upload it in smaller files"
    return None


def _read_ends(stream: BinaryIO) -> tuple[bytes, bytes, int]:
    """The first chunk, the last bytes, and the size. The stream need not support seeking."""
    head = tail = stream.read(_CHUNK)
    size = len(head)
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        tail = (tail + chunk)[-LARGEST_FOOTER - 8 :]
    return head, tail, size


def _problem_of_head(head: bytes) -> str | None:
    if head.startswith(_MAGIC):
        return None
    if not head:
        return f"is empty; {_WAY_OUT}"
    for magic, problem in _OTHER_FORMATS.items():
        if head.startswith(magic):
            return problem
    if b"\0" not in head and (b"," in head or b"{" in head):
        return f"is a text file such as CSV or JSON; {_WAY_OUT}"
    return f"is no Parquet file: it does not begin with PAR1; {_WAY_OUT}"


def _problem_of_end(tail: bytes, size: int) -> str | None:
    if size < 12 or not tail.endswith(_MAGIC):
        return "is cut off: a Parquet file ends with PAR1; upload the whole file"
    footer = _footer_size(tail)
    if not 0 < footer <= size - 12:
        return f"is damaged: its footer cannot have {footer:,} bytes; write the Parquet file again"
    if footer > LARGEST_FOOTER:
        return f"has a footer of {footer:,} bytes; write it with fewer, larger row groups"
    return None


def _footer_size(tail: bytes) -> int:
    return int.from_bytes(tail[-8:-4], "little")
