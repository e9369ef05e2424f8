"""Splits irises into training, validation and test, and writes what each of the jobs reads."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from common.cluster import Cluster
from common.content_hash import content_hashes
from common.preprocessing import Prepared
from common.splitting import PARTS, exact_borders
from iris.upload import SPECIES, read_irises


def prepare(upload: Path, name: str, output: Path, cluster: Cluster) -> Prepared:
    """Write train/, validation/, test/ and batch/. Raises BadUpload."""
    with upload.open("rb") as stream:
        irises = read_irises(stream, name)
    labelled = [iris for iris in irises if iris.species]
    unlabelled = [iris for iris in irises if not iris.species]
    hashes = content_hashes(np.array([iris.measures for iris in labelled], np.float64).T)
    of_part = exact_borders(hashes).of(hashes)
    train, validation, test = (
        [iris for iris, its in zip(labelled, of_part, strict=True) if its == part]
        for part in range(len(PARTS))
    )
    batch = unlabelled + test
    # The built-in algorithm wants the label first, as a number, and no header.
    for part, of_it in {"train": train, "validation": validation, "test": test}.items():
        rows = ([str(SPECIES.index(iris.species)), *iris.measures] for iris in of_it)
        _write(output / part / f"{part}.csv", rows)
    _write(output / "batch" / "batch.csv", (iris.measures for iris in batch))
    counts = {"uploaded": irises, "labelled": labelled, "unlabelled": unlabelled}
    counts |= {"train": train, "validation": validation, "test": test, "batch": batch}
    return Prepared({what: len(of_it) for what, of_it in counts.items()})


def _write(path: Path, rows: Iterable[Sequence[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
