"""The labelled rows of an upload, as hashes of their contents: what a model of that upload has learned from.

An error in the wild is measured on rows that a model did not know. Each model's archive therefore has the
hashes of its upload's labelled rows, of a large upload the smallest ones.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.baseline import SAMPLE
from common.bundle import BadArchive
from common.workload import Workload

FILE = "known_rows.npy"

Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class KnownRows:
    """Hashes of labelled rows, sorted. At SAMPLE of them, larger ones were left out."""

    keys: Keys

    @classmethod
    def of(cls, keys: Iterable[Keys]) -> KnownRows:
        """Those of rows that a workload's `sample` chose."""
        return cls(np.sort(np.concatenate([np.empty(0, np.uint64), *keys])))

    def may_have(self, keys: Keys) -> NDArray[np.bool_]:
        """Whether each row is one of these, or may be one of those left out."""
        found: NDArray[np.bool_] = np.isin(keys, self.keys)
        if len(self.keys) >= SAMPLE:
            found |= keys >= self.keys[-1]
        return found

    def to_bytes(self) -> bytes:
        """The content of FILE."""
        stream = io.BytesIO()
        np.save(stream, self.keys, allow_pickle=False)
        return stream.getvalue()


def read_known_rows(content: bytes) -> KnownRows:
    """The result of `to_bytes`. Raises BadArchive."""
    try:
        keys = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise BadArchive(f"{FILE} is damaged") from error
    if not isinstance(keys, np.ndarray) or keys.dtype != np.uint64 or keys.ndim != 1:
        raise BadArchive(f"{FILE} has no hashes of rows")
    return KnownRows(np.sort(keys))


def write_known_rows(workload: Workload, prepared: Path, folder: Path) -> None:
    """Write FILE for a prepared upload of a workload that is watched."""
    monitoring = workload.module("monitoring")
    rows = KnownRows.of(monitoring.keys(request) for request, _ in monitoring.sample(prepared))
    (folder / FILE).write_bytes(rows.to_bytes())
