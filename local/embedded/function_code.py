"""Code of functions: packages that rest in files, and are unpacked once, for every process that runs them.

A function has hundreds of files, and a process for each concurrent call: unpacking them for each would take
longer than the call, and removing them at the end longer than everything else. Many functions have the same
package, of several megabytes, which nobody reads between two starts of a process.
"""

import hashlib
import io
import mmap
import tempfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from weakref import WeakValueDictionary

# Smaller packages stay as they are: a file for each would take more than it saves.
LARGEST_IN_MEMORY = 1 << 20
# No archive begins like that.
_REFERENCE = b"kept package "
_REFERENCE_BYTES = len(_REFERENCE) + hashlib.sha256().digest_size


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

    def reference(self, package: Any) -> Any:
        """A few bytes that stand for a kept package where it would only be copied; any other one as it is."""
        with self._lock:
            kept = (digest for digest, mapped in self._mapped.items() if mapped is package)
            return next((_REFERENCE + digest for digest in kept), package)

    def referred(self, digest: bytes) -> mmap.mmap | None:
        """The kept package with this digest."""
        with self._lock:
            return self._mapped.get(digest)

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

    def ZipFile(self, path: str) -> "_LinkedZip | _LinkedPackage":  # noqa: N802
        """The archive in a file, or the one that it refers to. It is unpacked once, and linked then."""
        with Path(path).open("rb") as file:
            digest = file.read(_REFERENCE_BYTES).removeprefix(_REFERENCE)
        package = self._packages.referred(digest)
        return _LinkedZip(path, self) if package is None else _LinkedPackage(package, digest, self)

    def link(self, digest: bytes, archive: Callable[[], zipfile.ZipFile], target: Path) -> None:
        """Put a link to each of the top entries of the archive with this digest into a folder."""
        for entry in self._unpacked(digest.hex(), archive).iterdir():
            # What Python has compiled beside a module at the top was made by another process.
            if entry.name != "__pycache__":
                (target / entry.name).symlink_to(entry)

    def _unpacked(self, name: str, archive: Callable[[], zipfile.ZipFile]) -> Path:
        folder = self._folder / name[:16]
        with self._lock:
            if not folder.exists():
                partial = folder.with_suffix(".partial")
                partial.mkdir(parents=True, exist_ok=True)
                zipfile.ZipFile.extractall(archive(), partial)
                partial.rename(folder)
        # The package was read here, or to write it to the archive's path.
        self._packages.rest()
        return folder


class _LinkedZip(zipfile.ZipFile):
    def __init__(self, path: str, shared: SharedZips) -> None:
        super().__init__(path)
        self._path = Path(path)
        self._shared = shared

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        self._shared.link(hashlib.sha256(self._path.read_bytes()).digest(), lambda: self, Path(path))


class _LinkedPackage:
    """A kept package, of which nothing is read if it was unpacked before."""

    def __init__(self, package: mmap.mmap, digest: bytes, shared: SharedZips) -> None:
        self._package = package
        self._digest = digest
        self._shared = shared

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None: ...

    def extractall(self, path: str | Path) -> None:
        self._shared.link(self._digest, lambda: zipfile.ZipFile(io.BytesIO(self._package)), Path(path))
