"""The model that is watched: what its archive says of its approval, and its answers to any rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common import known_rows
from common.baseline_files import FOLDER
from common.bundle import BadArchive, read_files
from common.digests import file_digest
from common.known_rows import KnownRows
from common.model_baseline import ModelBaseline, NoBaseline, read_model_baseline
from common.seen import Row, request_of
from common.serving import UnusableModel
from common.workload import Workload

KNOWN_ROWS = f"{FOLDER}/{known_rows.FILE}"


class BadModel(Exception):
    """The archive is not the registered one, or holds no model; `str(error)` says so, and the way out."""


@dataclass(frozen=True)
class LiveModel:
    """A model in a folder. Without a baseline, `problem` says why. Without `known`, none
    can tell which labels it had."""

    folder: Path
    answer: Callable[[str], str]
    baseline: ModelBaseline | None
    known: KnownRows | None
    problem: str = ""

    def answers(self, rows: Sequence[Row]) -> list[str]:
        """The answer to each row: as it was recorded, otherwise given now. Raises ValueError."""
        without = [row for row in rows if row.answer is None]
        given = self.answer(request_of(without)).splitlines() if without else []
        if len(given) != len(without):
            raise ValueError(f"{len(given)} answers to {len(without)} rows")
        each = iter(given)
        return [next(each) if row.answer is None else row.answer for row in rows]


@contextmanager
def live_model(archive: Path, digest: str, workload: Workload) -> Iterator[LiveModel]:
    """The model in a model.tar.gz that must have this digest. Raises BadModel.

    It answers by the workload's current code. The code in the archive never runs.
    """
    _refuse_another(archive, digest)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            for file, content in read_files(archive, set(workload.module("evaluate").MODEL_FILES)).items():
                (folder / file).write_bytes(content)
            answer = workload.answerer(folder)
        except (BadArchive, UnusableModel) as error:
            raise BadModel(f"the live model cannot be used: {error}") from error
        try:
            baseline, problem = read_model_baseline(archive), ""
        except NoBaseline as reason:
            baseline, problem = None, str(reason)
        yield LiveModel(folder, answer, baseline, _known(archive), problem)


def _refuse_another(archive: Path, digest: str) -> None:
    if not archive.is_file():
        problem = "is missing"
    elif (found := file_digest(archive)) != digest:
        problem = f"was changed after it was registered: its digest is {found}, not {digest[:80]}"
    else:
        return
    raise BadModel(
        f"the live model's {archive.name} {problem}. Restore the version that was registered; until then, "
        "nothing watches the model"
    )


def _known(archive: Path) -> KnownRows | None:
    try:
        return known_rows.read_known_rows(read_files(archive, {KNOWN_ROWS})[KNOWN_ROWS])
    except BadArchive:
        return None
