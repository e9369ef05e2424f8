"""Splits irises into training, validation and test, and writes what each of the jobs reads."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from common.preprocessing import Prepared
from common.splitting import split
from iris.upload import SPECIES, Iris, read_irises


def prepare(upload: Path, name: str, output: Path) -> Prepared:
    """Write train/, validation/, test/ and batch/. Raises BadUpload."""
    with upload.open("rb") as stream:
        irises = read_irises(stream, name)
    labelled = [iris for iris in irises if iris.species]
    unlabelled = [iris for iris in irises if not iris.species]
    parts = split([_hash(iris) for iris in labelled])
    train, validation, test = (
        [labelled[row] for row in rows] for rows in (parts.train, parts.validation, parts.test)
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


def _hash(iris: Iris) -> str:
    return hashlib.sha256(repr(iris).encode()).hexdigest()


def _write(path: Path, rows: Iterable[Sequence[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
