"""Immutable bytes in files, so that the embedded S3 needs no memory for a large object.

They are sliced and joined without being read: a slice or a joined value refers to the same files. A file is
deleted when nothing refers to it any more.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 20


class _File:
    """A file that lives as long as this object."""

    def __init__(self, path: Path) -> None:
        self.path = path
        weakref.finalize(self, _remove, path)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


@dataclass(frozen=True)
class _Extent:
    """Consecutive bytes of a file."""

    file: _File
    start: int
    length: int


class DiskBytes:
    """A value that is read chunk by chunk, and whole only by `bytes()`."""

    def __init__(self, extents: Iterable[_Extent]) -> None:
        self._extents = tuple(extents)
        self._length = sum(extent.length for extent in self._extents)

    @classmethod
    def write(cls, content: bytes, folder: Path) -> DiskBytes:
        """The same bytes, in a new file of the folder."""
        handle, name = tempfile.mkstemp(dir=folder)
        file = _File(Path(name))
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        return cls([_Extent(file, 0, len(content))])

    @classmethod
    def of_file(cls, path: Path) -> DiskBytes:
        """The content of a file, which this takes over."""
        return cls([_Extent(_File(path), 0, path.stat().st_size)])

    @classmethod
    def join(cls, values: Iterable[DiskBytes]) -> DiskBytes:
        """One value after the other."""
        return cls(extent for value in values for extent in value._extents)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, which: slice) -> DiskBytes:
        start, stop, step = which.indices(self._length)
        if step != 1:
            raise ValueError("only consecutive bytes can be taken")
        return DiskBytes(self._cut(start, max(start, stop)))

    def _cut(self, start: int, stop: int) -> Iterator[_Extent]:
        before = 0
        for extent in self._extents:
            first = max(start - before, 0)
            last = min(stop - before, extent.length)
            if first < last:
                yield _Extent(extent.file, extent.start + first, last - first)
            before += extent.length

    def __bytes__(self) -> bytes:
        return b"".join(self.chunks())

    def chunks(self) -> Iterator[bytes]:
        """The bytes in pieces of at most CHUNK. Raises OSError if a file was cut short meanwhile."""
        for extent in self._extents:
            with extent.file.path.open("rb") as stream:
                stream.seek(extent.start)
                left = extent.length
                while left:
                    chunk = stream.read(min(left, CHUNK))
                    if not chunk:
                        raise OSError(f"{extent.file.path} ends before its time")
                    left -= len(chunk)
                    yield chunk
