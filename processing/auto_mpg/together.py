"""Several uploads that are read as one: each with its own header, in parts that fit into memory.

A part says which of its rows count (`common.duplicates`). That takes a pass over all uploads, which also
refuses the rows that cannot be read.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auto_mpg.columns import Cars, concatenate
from auto_mpg.table import Upload
from common.blocks import Block, group
from common.cluster import Cluster
from common.duplicates import Hashes, Mask, Spill, latest, read_kept
from common.uploads import Problems, name_together

# Blocks of this size fit into the caches of a processor, and into memory many times.
BLOCK = 1 << 22
BLOCKS_OF_A_PART = 16


@dataclass(frozen=True)
class Part:
    """Blocks of one of the uploads.

    `kept` are the packed bits of the rows that count; all count without. So many other rows are `replaced`.
    """

    upload: Upload
    blocks: Sequence[Block]
    kept: NDArray[np.uint8] | None = None
    replaced: int = 0

    def read(self, problems: Problems, *, named: bool) -> Cars:
        """The cars that count. The problems of other rows are added to `problems`, until they suffice."""
        read = []
        for block in self.blocks:
            read.append(self.upload.read(block, problems, named=named))
            if problems.suffice:
                problems.stopped = True
                break
        cars = concatenate(read)
        return cars if self.kept is None else cars[read_kept(self.kept, 0, len(cars))]


@dataclass(frozen=True)
class Uploads:
    """The uploads of a run, the earliest first."""

    uploads: Sequence[Upload]

    @property
    def name(self) -> str:
        """What messages about all of them call them."""
        return name_together([upload.name for upload in self.uploads])

    @property
    def fit_into_a_part(self) -> bool:
        """Whether all rows fit into memory."""
        size = sum(upload.rows.end - upload.rows.start for upload in self.uploads)
        return size <= BLOCKS_OF_A_PART * BLOCK

    def read(self) -> Iterator[Cars]:
        """The cars of each upload. Raises BadUpload."""
        for upload in self.uploads:
            problems = Problems(upload.name)
            cars = [upload.read(block, problems, named=True) for block in upload.blocks(BLOCK)]
            problems.refuse_any()
            yield concatenate(cars)

    def parts(self) -> Iterator[Part]:
        """All rows, cut into parts."""
        for upload in self.uploads:
            end = upload.rows.start
            for blocks in group(upload.blocks(BLOCK), BLOCKS_OF_A_PART):
                end = blocks[-1].end
                yield Part(upload, blocks)
            if end != upload.rows.end:
                raise AssertionError("rows beyond the last block were not read")


def mark_latest(cars: Cars, rows: Sequence[int]) -> Mask:
    """Which cars count, of uploads with so many rows each."""
    return latest(cars.hashes(), cars.is_labelled, np.repeat(np.arange(len(rows)), rows))


def mark_parts(uploads: Uploads, cluster: Cluster, folder: Path) -> list[Part]:
    """The parts of all uploads, with the rows that count. Raises BadUpload. Needs some disk in `folder`."""
    parts: list[Part] = []

    def cut() -> Iterator[Part]:
        for part in uploads.parts():
            parts.append(part)
            yield part

    order = {upload.path: place for place, upload in enumerate(uploads.uploads)}
    with tempfile.TemporaryDirectory(dir=folder) as spilled:
        spill = Spill(Path(spilled))
        rows = []
        for number, (problems, hashes, is_labelled) in enumerate(cluster.map(_read_keys, cut())):
            problems.refuse_any()
            rows.append(len(hashes))
            spill.add(hashes, is_labelled, order[parts[number].upload.path])
        kept = spill.kept()
    return [
        replace(part, kept=of_part, replaced=of_all - int(read_kept(of_part, 0, of_all).sum()))
        for part, of_part, of_all in zip(parts, kept, rows, strict=True)
    ]


def _read_keys(part: Part) -> tuple[Problems, Hashes, Mask]:
    problems = Problems(part.upload.name)
    cars = part.read(problems, named=False)
    return problems, cars.hashes(), cars.is_labelled
