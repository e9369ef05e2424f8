"""Joins the labels of uploads with rows that were asked about before, by the rows' contents.

The errors on these rows are the model's errors in the wild. Rows whose label the model knew do not count, nor
those whose label was in the upload that they were predicted for. Each content counts once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import ModuleType

import numpy as np

from common.known_rows import Keys, KnownRows
from common.readable import each_readable
from common.seen import Block, Row, request_of, run_time


@dataclass(frozen=True)
class Upload:
    """The labelled rows of the upload of a run that began at this time, and the label of each content."""

    time: datetime
    rows: KnownRows
    labels: Mapping[int, str]


def read_uploads(root: Path, monitoring: ModuleType) -> dict[str, Upload]:
    """The labelled rows under `runs/<run>/prepared/`, by run."""
    uploads: dict[str, Upload] = {}
    for summary in sorted(root.glob("runs/*/prepared/summary.json")):
        run = summary.parts[-3]
        if time := run_time(run):
            uploads[run] = _read_upload(time, summary.parent, monitoring)
    return uploads


def _read_upload(time: datetime, prepared: Path, monitoring: ModuleType) -> Upload:
    keys: list[Keys] = []
    found: dict[int, str] = {}
    for request, labels in monitoring.sample(prepared):
        keys.append(monitoring.keys(request))
        for key, label in zip(keys[-1].tolist(), labels, strict=True):
            found.setdefault(key, label)
    return Upload(time, KnownRows.of(keys), found)


class LateLabels:
    """Collects the rows whose labels came later, with `uploads`.

    `earlier` uploads only tell which labels were there before. `known` are the rows whose labels the model
    knew; it is None if the model does not say which, and then no row counts.
    """

    def __init__(
        self,
        monitoring: ModuleType,
        uploads: Mapping[str, Upload],
        earlier: Mapping[str, Upload],
        known: KnownRows | None,
    ) -> None:
        self._monitoring = monitoring
        self._uploads = sorted(uploads.values(), key=lambda upload: upload.time)
        self._own = {run: each.rows for run, each in {**earlier, **uploads}.items()}
        self._known = known
        self._keys = KnownRows.of(upload.rows.keys for upload in self._uploads).keys
        self._found: dict[int, tuple[Row, str]] = {}
        # Of runs whose own upload is not there, the rows that it may have had labels for.
        self._unknown: dict[str, int] = {}

    @property
    def expected(self) -> bool:
        """Whether any row can count."""
        return self._known is not None and len(self._keys) > 0

    def add(self, block: Block) -> None:
        """Look for the labels of a block's rows."""
        first = min(row.time for row in block.rows)
        if self.expected and self._uploads[-1].time > first:
            # Rows without a content are counted where the sample is read.
            for rows, keys in each_readable(self._read_keys, block.rows, lambda row: None):
                self._join(block.run, rows, keys)

    def rows(self) -> list[tuple[Row, str]]:
        """The rows with late labels, and these."""
        return list(self._found.values())

    def problems(self) -> list[str]:
        """Sentences about labels that could not be used."""
        if self._known is None and len(self._keys):
            return [
                "The model's archive does not say which rows it knew, so late labels say nothing about it."
            ]
        return [
            f"{count:,} late labels for predictions of {run} were left out: its own upload is not there "
            "to tell whether it had them."
            for run, count in self._unknown.items()
        ]

    def _read_keys(self, rows: Sequence[Row]) -> Keys:
        keys: Keys = self._monitoring.keys(request_of(rows))
        if len(keys) != len(rows):
            raise ValueError("not a hash for each row")
        return keys

    def _join(self, run: str, rows: Sequence[Row], keys: Keys) -> None:
        counts = np.isin(keys, self._keys)
        if self._known is not None:
            counts &= ~self._known.may_have(keys)
        if run in self._own:
            counts &= ~self._own[run].may_have(keys)
        for place in np.flatnonzero(counts).tolist():
            key, row = int(keys[place]), rows[place]
            label = self._label(key, row.time)
            if label is None or key in self._found:
                continue
            if run and run not in self._own:
                self._unknown[run] = self._unknown.get(run, 0) + 1
            else:
                self._found[key] = row, label

    def _label(self, key: int, after: datetime) -> str | None:
        labels = (upload.labels.get(key) for upload in self._uploads if upload.time > after)
        return next((label for label in labels if label is not None), None)
