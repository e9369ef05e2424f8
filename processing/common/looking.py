"""Looks at what the live model was asked: samples the rows, and finds those whose labels came later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from common.captures import Window, captured
from common.columns import Columns, Numbers, concatenated
from common.late_labels import LateLabels, read_uploads
from common.left_out import LeftOut
from common.live_model import LiveModel
from common.readable import each_readable
from common.row_sample import RowSample
from common.seen import BATCH, ENDPOINT, Block, Form, Row, predicted, request_of
from common.workload import Workload

LABELLED = "labelled"
# Rows that the model answers together.
_ROWS = 1000
_UNREADABLE = "the model cannot read the row, or its answer is damaged"


@dataclass(frozen=True)
class Files:
    """Folders with what there is to look at, under the keys that it has in the bucket.

    `earlier` has what was asked before the window; it counts only if its labels came in the window.
    """

    seen: Path
    earlier: Path | None = None


@dataclass(frozen=True)
class Look:
    """How many rows of each kind there were, a sample of them as features and predictions, and the errors on
    rows whose labels came later. `problems` are sentences about what could not be looked at."""

    counts: dict[str, int]
    sample: Columns
    errors: Numbers
    problems: tuple[str, ...]


def look(workload: Workload, model: LiveModel, files: Files, window: Window) -> Look:
    """Read the files once, block by block."""
    counts: Counter[str] = Counter()
    sample, left_out = RowSample(), LeftOut()
    late = _late_labels(workload, model, files)
    for block in _blocks(files.seen, workload, window, left_out):
        counts[block.kind] += len(block.rows)
        sample.add(block)
        late.add(block)
    if files.earlier and late.expected:
        for block in _blocks(files.earlier, workload, window.before, LeftOut()):
            late.add(block)
    errors = _errors(workload, model, late, left_out)
    counts[LABELLED] = len(errors)
    return Look(
        {kind: counts[kind] for kind in (BATCH, ENDPOINT, LABELLED)},
        _columns(workload, model, sample.rows(), left_out),
        errors,
        (*late.problems(), *left_out.sentences()),
    )


def _blocks(root: Path, workload: Workload, window: Window, left_out: LeftOut) -> Iterator[Block]:
    form = Form.of(workload)
    return chain(predicted(root, form, left_out), captured(root, workload.name, form, window, left_out))


def _late_labels(workload: Workload, model: LiveModel, files: Files) -> LateLabels:
    monitoring = workload.module("monitoring")
    uploads = read_uploads(files.seen, monitoring)
    earlier = read_uploads(files.earlier, monitoring) if files.earlier and uploads else {}
    return LateLabels(monitoring, uploads, earlier, model.known)


def _columns(workload: Workload, model: LiveModel, rows: Sequence[Row], left_out: LeftOut) -> Columns:
    monitoring = workload.module("monitoring")

    def read(some: Sequence[Row]) -> Columns:
        answer = "".join(f"{line}\n" for line in model.answers(some))
        return {
            **monitoring.features(request_of(some), model.folder),
            **monitoring.predictions(answer),
        }

    def refuse(row: Row) -> None:
        left_out.add(_UNREADABLE, row.place)

    parts = (rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS))
    return concatenated(columns for part in parts for _, columns in each_readable(read, part, refuse))


def _errors(workload: Workload, model: LiveModel, late: LateLabels, left_out: LeftOut) -> Numbers:
    monitoring = workload.module("monitoring")

    def read(pairs: Sequence[tuple[Row, str]]) -> Numbers:
        answer = "".join(f"{line}\n" for line in model.answers([row for row, _ in pairs]))
        errors: Numbers = monitoring.errors(answer, [label for _, label in pairs])
        return errors

    def refuse(pair: tuple[Row, str]) -> None:
        left_out.add(_UNREADABLE, pair[0].place)

    pairs = late.rows()
    parts = (pairs[start : start + _ROWS] for start in range(0, len(pairs), _ROWS))
    found = [errors for part in parts for _, errors in each_readable(read, part, refuse)]
    return np.concatenate([np.empty(0), *found])
