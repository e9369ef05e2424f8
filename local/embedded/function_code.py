"""Code of functions that is unpacked once, and linked into the folder of every process that runs it.

A function has hundreds of files, and a process for each concurrent call: unpacking them for each would take
longer than the call, and removing them at the end longer than everything else.
"""

import hashlib
import threading
import zipfile
from pathlib import Path
from typing import Any


class SharedZips:
    """Stands in for the module `zipfile` where functions are unpacked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(zipfile, name)

    def ZipFile(self, path: str) -> "_LinkedZip":  # noqa: N802
        """The archive; its `extractall` makes links to what was unpacked when it was first asked for."""
        return _LinkedZip(path, self)

    def unpacked(self, archive: "_LinkedZip") -> Path:
        """The folder with the archive's content."""
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
