"""Makes imports of modules fail in this process, as in an image that lacks them."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from itertools import takewhile
from types import ModuleType
from typing import Any

from local.sagemaker.engines.warm import adoption

# The modules that were imported before the fork, in their order, by their packages.
_remembered: dict[str, list[str]] = defaultdict(list)
_last: list[str] = []


class HidingFinder:
    """Wraps an import finder, but does not find the hidden modules, and so not their submodules.

    A job may bring them itself: only folders in `searched`, the import path before the job began, are passed
    over.
    """

    def __init__(self, finder: Any, names: frozenset[str], searched: frozenset[str]) -> None:
        self._finder = finder
        self._names = names
        self._searched = searched

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is None and fullname in self._names:
            if self._finder is not PathFinder:
                return None
            path = [entry for entry in sys.path if entry not in self._searched]
            if found := adoption.adopted(fullname, path):
                return found
        spec: ModuleSpec | None = self._finder.find_spec(fullname, path, target)
        return spec

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


def top_of(fullname: str) -> str:
    """The first part of a module's name."""
    return fullname.partition(".")[0]


def remember() -> None:
    """Note what is imported, so that no job needs to look at all of it."""
    _remembered.clear()
    for name in sys.modules:
        _remembered[top_of(name)].append(name)
    _last[:] = [name]


def hide(names: Iterable[str]) -> None:
    """Hide these modules, which have no dots in their names, from later imports, and unload those that were
    imported already, with what is below them."""
    hidden = frozenset(names)
    below = (name for name in _candidates(hidden) if top_of(name) in hidden)
    loaded = {name: sys.modules.pop(name) for name in below if name in sys.modules}
    adoption.keep(loaded)
    searched = frozenset(sys.path)
    sys.meta_path[:] = [HidingFinder(finder, hidden, searched) for finder in sys.meta_path]


def _candidates(hidden: frozenset[str]) -> list[str]:
    """The loaded modules that may be hidden. To look at each of the thousand others would copy 4 MB, since
    their names are all over the memory that jobs share."""
    later = takewhile(lambda name: name not in _last, reversed(sys.modules))
    return [name for package in hidden for name in _remembered.get(package, ())] + list(later)
