"""Saves a job the import of a library that it brings, if the warm interpreter has imported the very same
files.

The image still lacks the library: without the files, or with any other byte in them, the job imports what it
has, or fails.
"""

from __future__ import annotations

import sys
import zipfile
import zlib
from collections.abc import Collection, Iterable, Mapping
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

# Libraries that no image has, and jobs bring.
BROUGHT = frozenset({"ml_dtypes", "onnx", "onnxruntime"})

# By module: the path of its file in a zip file of the library, and the checksum. Filled before the fork, so
# that no job computes it.
_files: dict[str, tuple[str, int]] = {}
_hidden: dict[str, ModuleType] = {}


def remember() -> None:
    """Note the files of the loaded modules of these libraries."""
    for top in BROUGHT.intersection(sys.modules):
        root = Path(str(sys.modules[top].__file__)).parents[1]
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] == top and (file := getattr(module, "__file__", None)):
                member = Path(file).relative_to(root).as_posix()
                _files[name] = member, _checksum(Path(file))


def _checksum(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        while block := file.read(1 << 16):
            found = zlib.crc32(block, found)
    return found


def keep(modules: Mapping[str, ModuleType]) -> None:
    """Keep modules that were hidden from a job, in case it brings them."""
    _hidden.update({name: module for name, module in modules.items() if name in _files})


def adopted(name: str, entries: Collection[str]) -> ModuleSpec | None:
    """The spec of a hidden library, already loaded, if one of the entries is a zip file with the same one."""
    modules = {each: module for each, module in _hidden.items() if each.partition(".")[0] == name}
    if name not in modules:
        return None
    for entry in entries:
        if _holds(entry, modules):
            return ModuleSpec(name, _Loaded(entry, modules), is_package=hasattr(modules[name], "__path__"))
    return None


def _holds(archive: str, names: Iterable[str]) -> bool:
    """Whether the path is a zip file with the files of all these modules, with the loaded content."""
    try:
        with zipfile.ZipFile(archive) as content:
            return all(crc == content.getinfo(member).CRC for member, crc in map(_files.__getitem__, names))
    except (OSError, zipfile.BadZipFile, KeyError):
        return False


class _Loaded(Loader):
    """Loads a library by giving the job the modules that are already there."""

    def __init__(self, archive: str, modules: Mapping[str, ModuleType]) -> None:
        self._archive = archive
        self._modules = modules

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        for name, each in self._modules.items():
            sys.modules[name] = each
            if hasattr(each, "__path__"):
                # What was not loaded comes from the job's file.
                each.__path__ = [f"{self._archive}/{name.replace('.', '/')}"]
