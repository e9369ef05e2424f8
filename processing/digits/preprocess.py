"""Splits an upload of digits and writes the files for training, evaluation and batch prediction.

The channels hold plain NumPy arrays, `images.npy` (uint8, images x 28 x 28) and `labels.npy`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.cluster import Cluster
from common.duplicates import latest
from common.preprocessing import Prepared
from common.splitting import PARTS, exact_borders
from common.text import shown_name
from common.uploads import REPLACED, BadUpload, Problems, name_together
from digits import CLASSES, SIDE, distribution
from digits.pictures import BadPicture, Pixels, decode, request_line
from digits.table import BadTable, Row, read_rows
from digits.upload import problem_of_rows

_UNLABELLED = -1


@dataclass(frozen=True)
class Images:
    """Pixels, shaped (images, 28, 28), and the label of each image."""

    pixels: Pixels
    labels: NDArray[np.int64]

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Images:
        return Images(self.pixels[chosen], self.labels[chosen])

    def __len__(self) -> int:
        return len(self.labels)


def prepare(upload: Path, name: str, output: Path, cluster: Cluster) -> Prepared:
    """Write the arrays for an upload. Raises BadUpload, whose message calls it `name`.

    The output depends neither on the order of the images nor on the file's compression.
    """
    return prepare_all([(upload, name)], output, cluster)


def prepare_all(uploads: Sequence[tuple[Path, str]], output: Path, cluster: Cluster) -> Prepared:
    """Write the arrays for uploads with their names, the latest of which is the last. Raises BadUpload."""
    name = name_together([name for _, name in uploads])
    uploaded, replaced = _read_all(uploads, name)
    unlabelled = uploaded[uploaded.labels == _UNLABELLED]
    labelled, hashes = _in_order(uploaded[uploaded.labels != _UNLABELLED])
    if problem := distribution.problem_of_labels(labelled.labels, len(set(hashes))):
        raise BadUpload(f"{shown_name(name)} {problem}")
    starts = _starts(hashes)
    of_part = exact_borders(starts).of(starts)
    parts = {part: labelled[of_part == position] for position, part in enumerate(PARTS)}
    for part, images in parts.items():
        _write(output / part, images)
    batch = np.concatenate([unlabelled.pixels, parts["test"].pixels])
    _write_requests(output / "batch" / "batch.jsonl", batch)
    labels = {part: images.labels for part, images in parts.items()}
    return Prepared(
        rows={
            "uploaded": len(uploaded) + replaced,
            **({REPLACED: replaced} if replaced else {}),
            "labelled": len(labelled),
            "unlabelled": len(unlabelled),
            **{part: len(images) for part, images in parts.items()},
            "batch": len(batch),
        },
        warnings=[*distribution.warnings(labels), *_contradictions(labelled, hashes)],
        report={"labels": distribution.report(labels)},
    )


def _read_all(uploads: Sequence[tuple[Path, str]], name: str) -> tuple[Images, int]:
    """The images that count, and how many others there are. Raises BadUpload."""
    each = [_read(upload, of_upload) for upload, of_upload in uploads]
    if len(each) == 1:
        return each[0], 0
    images = Images(
        *(np.concatenate(column) for column in zip(*((i.pixels, i.labels) for i in each), strict=True))
    )
    if problem := problem_of_rows(len(images)):
        raise BadUpload(f"{shown_name(name)} {problem}")
    rows = np.repeat(np.arange(len(each)), [len(of_upload) for of_upload in each])
    is_latest = latest(_starts(_hashes(images)), images.labels != _UNLABELLED, rows)
    return images[is_latest], int((~is_latest).sum())


def _read(upload: Path, name: str) -> Images:
    """All images of a file. Raises BadUpload with the first problems."""
    problems = Problems(name)
    pixels, labels = bytearray(), []
    try:
        for row in read_rows(upload):
            if problem := _problem_of_label(row):
                problems.add(f"row {row.number:,}", problem)
            try:
                pixels += _decode(row).tobytes()
                labels.append(_UNLABELLED if row.label is None else row.label)
            except BadPicture as bad:
                problems.add(f"row {row.number:,}", f"the image {bad}")
    except BadTable as bad:
        problems.add(None, str(bad))
    problems.refuse_any()
    return Images(np.frombuffer(pixels, np.uint8).reshape(-1, SIDE, SIDE), np.array(labels, np.int64))


def _decode(row: Row) -> Pixels:
    if row.png is None:
        raise BadPicture("is missing; the PNG file must be in image.bytes, a path alone is not enough")
    return decode(row.png)


def _problem_of_label(row: Row) -> str | None:
    if row.label is None or 0 <= row.label < CLASSES:
        return None
    return f"the label is {row.label}; expected 0 to {CLASSES - 1}, or null for an image to predict"


def _in_order(images: Images) -> tuple[Images, list[str]]:
    """The images sorted by the hashes of their pixels, and the hashes."""
    hashes = _hashes(images)
    order = sorted(range(len(images)), key=lambda row: (hashes[row], images.labels[row]))
    return images[np.array(order, np.intp)], [hashes[row] for row in order]


def _hashes(images: Images) -> list[str]:
    return [hashlib.sha256(pixels.tobytes()).hexdigest() for pixels in images.pixels]


def _starts(hashes: Iterable[str]) -> NDArray[np.uint64]:
    return np.array([int(key[:16], 16) for key in hashes], np.uint64)


def _contradictions(images: Images, hashes: Iterable[str]) -> list[str]:
    labels_of: dict[str, set[int]] = {}
    for key, label in zip(hashes, images.labels.tolist(), strict=True):
        labels_of.setdefault(key, set()).add(label)
    count = sum(len(labels) > 1 for labels in labels_of.values())
    return [f"Images that occur more than once with different labels: {count:,}."] if count else []


def _write(folder: Path, images: Images) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "images.npy", images.pixels, allow_pickle=False)
    np.save(folder / "labels.npy", images.labels, allow_pickle=False)


def _write_requests(path: Path, pixels: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="ascii", newline="") as stream:
        stream.writelines(map(request_line, pixels))
