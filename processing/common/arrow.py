"""Between NumPy and pyarrow. pyarrow's own conversion imports pandas, which takes longer than a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_KINDS = {
    pa.from_numpy_dtype(kind): kind
    for kind in map(np.dtype, ("float32", "float64", "int32", "uint8", "uint16", "uint32", "uint64"))
}


def to_arrow(values: NDArray[Any], *, nan_is_null: bool = False) -> pa.Array:
    """The same numbers, not copied."""
    values = np.ascontiguousarray(values)
    validity = None
    if nan_is_null and (missing := np.isnan(values)).any():
        validity = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(values)])


def texts_to_arrow(texts: Sequence[str]) -> pa.Array:
    """The same texts."""
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def text_to_arrow(text: str) -> pa.StringScalar:
    """The same text. Where a string stands for it, pyarrow imports pandas."""
    return texts_to_arrow([text])[0]


def only_chunk(column: pa.ChunkedArray) -> pa.Array:
    """The whole column, not copied if it has one chunk."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def to_numpy(array: pa.Array) -> NDArray[Any]:
    """The same numbers, to be read only; NaN for null."""
    end = array.offset + len(array)
    validity, content = array.buffers()
    values = np.frombuffer(content, _KINDS[array.type])[array.offset : end]
    if not array.null_count:
        return values
    bits = np.unpackbits(np.frombuffer(validity, np.uint8), count=end, bitorder="little")
    return np.where(bits[array.offset :], values, np.nan)
