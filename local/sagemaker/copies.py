"""Copies of objects that jobs download again and again, such as libraries.

A job still asks S3 for the object, with its own rights; if the copy is what S3 has, S3 says only that.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# Smaller objects arrive as fast as they are copied; larger ones are data, which the next job rarely needs.
SMALLEST, LARGEST = 256 * 1024, 64 * 1024**2
_TOGETHER = 4 * LARGEST

# An object's bucket and key.
Name = tuple[str, str]


@dataclass(frozen=True)
class Copy:
    """A version of an object."""

    etag: str
    path: Path
    size: int


class Copies:
    """The most recently downloaded objects, each in the version that was read last. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # In the order of their last use.
        self._kept: dict[Name, Copy] = {}
        self._lock = threading.Lock()

    @contextmanager
    def find(self, name: Name) -> Iterator[tuple[str, BinaryIO] | None]:
        """The ETag and the content of an object's copy, if there is one."""
        with self._lock:
            if found := self._kept.pop(name, None):
                self._kept[name] = found
            # Opened before another thread can delete it.
            content = found.path.open("rb") if found else None
        if found is None or content is None:
            yield None
            return
        with content:
            yield found.etag, content

    def keep(self, name: Name, etag: str, path: Path) -> None:
        """Copy a file with an object's content, if it has a size that is kept."""
        size = path.stat().st_size
        if not SMALLEST <= size <= LARGEST:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file, path.open("rb") as content:
            shutil.copyfileobj(content, file, 1 << 20)
        with self._lock:
            self._drop(name)
            self._kept[name] = Copy(etag, Path(file.name), size)
            while sum(copy.size for copy in self._kept.values()) > _TOGETHER:
                self._drop(next(iter(self._kept)))

    def _drop(self, name: Name) -> None:
        if found := self._kept.pop(name, None):
            found.path.unlink()
