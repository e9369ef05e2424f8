"""Code of functions: packages that rest in files, and are unpacked once, for every process that runs them.

A function has hundreds of files, and a process for each concurrent call: unpacking them for each would take
longer than the call, and removing them at the end longer than everything else. Many functions have the same
package, of several megabytes, which nobody reads between two starts of a process.
"""

import hashlib
import mmap
import tempfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

# Smaller packages stay as they are: a file for each would take more than it saves.
LARGEST_IN_MEMORY = 1 << 20


class Packages:
    """Packages in files of a folder, each once, that take memory only while they are read.

    `arrived` is called with each new one.
    """

    def __init__(self, folder: Path, arrived: Callable[[mmap.mmap], None] = lambda package: None) -> None:
        self._folder = folder
        self._arrived = arrived
        self._lock = threading.Lock()
        self._mapped: WeakValueDictionary[bytes, mmap.mmap] = WeakValueDictionary()

    def kept(self, package: Any) -> Any:
        """The same bytes, in a file if there are many; it goes when nothing refers to them any more."""
        if not isinstance(package, bytes) or len(package) <= LARGEST_IN_MEMORY:
            return package
        digest = hashlib.sha256(package).digest()
        with self._lock:
            mapped = self._mapped.get(digest)
            if mapped is not None:
                return mapped
            self._mapped[digest] = mapped = self._write(package)
        self._arrived(mapped)
        return mapped

    def _write(self, package: bytes) -> mmap.mmap:
        self._folder.mkdir(parents=True, exist_ok=True)
        # Without a name, so that its bytes are gone with the last reference.
        with tempfile.TemporaryFile(dir=self._folder) as file:
            file.write(package)
            file.flush()
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def rest(self) -> None:
        """Give back the memory of what was read; it is read from the file when it is needed again."""
        with self._lock:
            for mapped in self._mapped.values():
                mapped.madvise(mmap.MADV_DONTNEED)


class SharedZips:
    """Stands in for the module `zipfile` where functions are unpacked."""

    def __init__(self, folder: Path, packages: Packages) -> None:
        self._folder = folder
        self._packages = packages
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(zipfile, name)

    def ZipFile(self, path: str) -> "_LinkedZip":  # noqa: N802
        """The archive; its `extractall` makes links to what was unpacked when it was first asked for."""
        return _LinkedZip(path, self)

    def unpacked(self, archive: "_LinkedZip") -> Path:
        """The folder with the archive's content."""
        # Its package was read to write it to the archive's path.
        self._packages.rest()
        digest = hashlib.sha256(archive.path.read_bytes()).hexdigest()
        folder = self._folder / digest[:16]
        with self._lock:
            if not folder.exists():
                partial = folder.with_suffix(".partial")
                partial.mkdir(parents=True, exist_ok=True)
                zipfile.ZipFile.extractall(archive, partial)
                partial.rename(folder)
        return folder


class _LinkedZip(zipfile.ZipFile):
    def __init__(self, path: str, shared: SharedZips) -> None:
        super().__init__(path)
        self.path = Path(path)
        self._shared = shared

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        """Put a link to each of the top entries into the folder `path`, which exists."""
        for entry in self._shared.unpacked(self).iterdir():
            # What Python has compiled beside a module at the top was made by another process.
            if entry.name != "__pycache__":
                (Path(path) / entry.name).symlink_to(entry)
