"""Makes libraries importable that came with the code, because the job's image lacks them.

Standard library only.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cached_property, partial
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path


@contextlib.contextmanager
def importable(folder: Path | None) -> Iterator[None]:
    """Make modules importable from a folder's wheels, before those of the image.

    A wheel is unpacked when one of its modules is first imported: native libraries cannot be imported from a
    zip file. Does nothing if there is no folder.
    """
    if folder is None:
        yield
        return
    wheels = [str(wheel) for wheel in sorted(folder.glob("*.whl"))]
    with tempfile.TemporaryDirectory() as unpacked:
        known = {wheel: _Wheel(Path(wheel), Path(unpacked)) for wheel in wheels}
        hook = partial(_finder, known)
        sys.path_hooks.insert(0, hook)
        sys.path[:0] = wheels
        try:
            yield
        finally:
            sys.path_hooks.remove(hook)
            for wheel in wheels:
                sys.path.remove(wheel)
                sys.path_importer_cache.pop(wheel, None)


class _Wheel:
    def __init__(self, path: Path, unpacked: Path) -> None:
        self._path = path
        self._folder = unpacked / path.stem

    @cached_property
    def modules(self) -> frozenset[str]:
        """The names at the root of the wheel that can be imported."""
        with zipfile.ZipFile(self._path) as archive:
            return frozenset(name.partition("/")[0].partition(".")[0] for name in archive.namelist())

    @cached_property
    def folder(self) -> Path:
        """The folder with the wheel's content."""
        with zipfile.ZipFile(self._path) as archive:
            archive.extractall(self._folder)
        return self._folder


class _Finder:
    """Finds modules in a wheel, or in a folder of it."""

    def __init__(self, wheel: _Wheel, below: str) -> None:
        self._wheel = wheel
        self._below = below

    def find_spec(self, fullname: str, target: object = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in self._wheel.modules:
            return None
        return PathFinder.find_spec(fullname, [str(self._wheel.folder / self._below)])


def _finder(known: dict[str, _Wheel], entry: str) -> _Finder:
    """The finder for an entry of the import path. Raises ImportError if it is none of the wheels."""
    for path, wheel in known.items():
        if entry == path or entry.startswith(f"{path}/"):
            return _Finder(wheel, entry[len(path) + 1 :])
    raise ImportError(entry)
