"""Finds the workloads: the folders beside this one that have a `workload.json`. Standard library only.

`workload.schema.json` defines that file, and `docs/workloads.md` explains it.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path
from types import ModuleType
from typing import Any

from common.evaluation import Gate

FILE = "workload.json"
# Of an upload, unless the workload says otherwise. A job that holds all rows in memory takes thirty times the
# size of a CSV file of the shortest rows, and an ml.m5.large has 8 GiB.
MAX_BYTES = 128 * 1024**2
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")


def _root() -> Traversable:
    """The folder above this package, which is a zip file in a job."""
    root = Path(__file__).parents[1]
    return root if root.is_dir() else zipfile.Path(root)


_ROOT = _root()


class UnknownWorkload(Exception):
    """There is no workload of this name; the message lists the existing ones."""


@dataclass(frozen=True)
class Workload:
    """A folder that keeps the contract in docs/workloads.md. `settings` is its workload.json."""

    name: str
    settings: Mapping[str, Any] = field(hash=False)

    @property
    def title(self) -> str:
        """Its name for people."""
        return str(self.settings["title"])

    @property
    def suffixes(self) -> list[str]:
        """The suffixes of the files that it accepts, such as `.csv`."""
        return list(self.settings["upload"]["suffixes"])

    @property
    def max_bytes(self) -> int:
        """The size of the largest file that it accepts."""
        return int(self.settings["upload"].get("max_bytes", MAX_BYTES))

    @property
    def takes_several(self) -> bool:
        """Whether it can prepare several uploads together."""
        return bool(self.settings["upload"].get("together", False))

    @property
    def gate(self) -> Gate:
        """The limit that a model must meet."""
        gate = self.settings["gate"]
        return Gate(gate["metric"], gate.get("at_most"), gate.get("at_least"))

    @property
    def is_watched(self) -> bool:
        """Whether it has a `monitoring.py`, without which nothing watches its models."""
        return importlib.util.find_spec(f"{self.name}.monitoring") is not None

    def module(self, name: str) -> ModuleType:
        """One of its modules, such as `upload`."""
        return importlib.import_module(f"{self.name}.{name}")

    def answerer(self, folder: Path) -> Callable[[str], str]:
        """The model in a folder, as a function from a request to its answer. Raises UnusableModel."""
        inference, kinds = self.module("inference"), self.settings["model"]
        model = inference.model_fn(str(folder))

        def answer(request: str) -> str:
            data = inference.input_fn(request, kinds["content_type"])
            body, _ = inference.output_fn(inference.predict_fn(data, model), kinds["accept"])
            return str(body)

        return answer


def find_workloads(root: Traversable = _ROOT) -> dict[str, Workload]:
    """All workloads by name, sorted."""
    files = {folder.name: folder / FILE for folder in root.iterdir() if _NAME.fullmatch(folder.name)}
    return {
        name: Workload(name, json.loads(file.read_text(encoding="utf-8")))
        for name, file in sorted(files.items())
        if file.is_file()
    }


def find_workload(name: str, root: Traversable = _ROOT) -> Workload:
    """The workload of this name. Raises UnknownWorkload."""
    workloads = find_workloads(root)
    if name not in workloads:
        raise UnknownWorkload(f"there is no workload {name[:40]!r}; there are {', '.join(workloads)}")
    return workloads[name]
