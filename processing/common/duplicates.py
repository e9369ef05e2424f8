"""Which rows of several uploads count: of each content, those of the latest upload that says something of it.

That is the latest upload in which the content has a label, or else the latest that has it. So a later label
replaces an earlier one, a row that was uploaded again counts once more only if its own upload repeats it, and
a label that came late takes the place of the row without it. The rows of one upload never replace each other.

Contents are compared by their hashes of 64 bits: of 250 million different ones, two are the same with a
probability of 0.2 %, and then one row is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Mask = NDArray[np.bool_]

_LABELLED = np.uint32(1 << 31)
_RECORD = np.dtype([("hash", np.uint64), ("row", np.uint32)])
# By their first bits, the hashes go into so many files, of which one at a time is in memory.
_FILES = 64
_SHIFT = np.uint64(64 - 6)


def latest(hashes: Hashes, is_labelled: Mask, uploads: NDArray[np.integer]) -> Mask:
    """Which rows count; `uploads` has the position of each row's upload, the earliest of which is 0."""
    if not len(hashes):
        return np.empty(0, bool)
    rank = is_labelled * (int(uploads.max()) + 1) + uploads.astype(np.int64)
    different, content = np.unique(hashes, return_inverse=True)
    best = np.full(len(different), -1)
    np.maximum.at(best, content, rank)
    return np.asarray(rank == best[content], bool)


class Spill:
    """The same for more rows than fit into memory: they lie in files, 12 bytes each."""

    def __init__(self, folder: Path) -> None:
        self._files = [folder / f"hashes-{number:02}" for number in range(_FILES)]
        self._uploads: list[int] = []
        self._rows: list[int] = []
        self._in_file: list[list[int]] = []

    def add(self, hashes: Hashes, is_labelled: Mask, upload: int) -> None:
        """Add the rows of a part of an upload, at most 2 ** 31."""
        records = np.empty(len(hashes), _RECORD)
        records["hash"] = hashes
        records["row"] = np.arange(len(hashes), dtype=np.uint32) | np.where(is_labelled, _LABELLED, 0)
        file_of = (hashes >> _SHIFT).astype(np.intp)
        counts = np.bincount(file_of, minlength=_FILES)
        in_order = records[np.argsort(file_of, kind="stable")]
        for path, of_file in zip(self._files, np.split(in_order, np.cumsum(counts)[:-1]), strict=True):
            if len(of_file):
                with path.open("ab") as stream:
                    of_file.tofile(stream)
        self._uploads.append(upload)
        self._rows.append(len(hashes))
        self._in_file.append(counts.tolist())

    def kept(self) -> list[NDArray[np.uint8]]:
        """Which rows count, for each part that was added, as packed bits."""
        kept = [np.packbits(np.ones(rows, bool)) for rows in self._rows]
        for number in range(_FILES):
            for part, dropped in self._dropped(number):
                bits = np.unpackbits(kept[part])
                bits[dropped] = 0
                kept[part] = np.packbits(bits)
        return kept

    def _dropped(self, number: int) -> Iterator[tuple[int, NDArray[np.uint32]]]:
        """The parts from which rows of one file do not count, and the numbers of these rows."""
        counts = [of_part[number] for of_part in self._in_file]
        if not any(counts):
            return
        records = np.frombuffer(self._files[number].read_bytes(), _RECORD)
        is_kept = latest(
            records["hash"], (records["row"] & _LABELLED) > 0, np.repeat(np.array(self._uploads), counts)
        )
        rows = records["row"] & ~_LABELLED
        ends = np.cumsum(counts)
        for part, end in enumerate(ends.tolist()):
            own = slice(end - counts[part], end)
            dropped = rows[own][~is_kept[own]]
            if len(dropped):
                yield part, dropped


def read_kept(kept: NDArray[np.uint8], start: int, rows: int) -> Mask:
    """Of the packed bits of a part, those of so many rows from `start` on."""
    bits = np.unpackbits(kept[start // 8 : (start + rows + 7) // 8])
    return bits[start % 8 : start % 8 + rows].view(bool)
