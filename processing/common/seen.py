"""Reads the rows that models were asked about: of batch transforms here, of endpoints in `captures.py`.

A block and a line are all that is in memory, however large the files are. A line that cannot be read is left
out and counted. Standard library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from common.left_out import LeftOut
from common.serving import media_type
from common.workload import Workload

BATCH, ENDPOINT = "batch", "endpoint"
# Above the largest request of any endpoint, 25 MB, in base64 and with its answer.
LONGEST_LINE = 64 << 20

_ROWS, _CHARACTERS = 1000, 4 << 20
_JSON = ("application/json", "application/jsonlines")
_OUTPUT, _INPUT = "SageMakerOutput", "SageMakerInput"
_RUN = re.compile(r"[a-z]+-(\d{8}-\d{4})-[0-9a-f]{8}")


class Unreadable(ValueError):
    """A line is not what it should be; `str(error)` is the reason for LeftOut."""


@dataclass(frozen=True)
class Form:
    """What a workload's model reads and writes, and how many columns of CSV its answer has."""

    content_type: str
    accept: str
    answer_columns: int = 1

    @classmethod
    def of(cls, workload: Workload) -> Form:
        """By its workload.json; its monitoring.py has ANSWER_COLUMNS if an answer has more than one."""
        columns = getattr(workload.module("monitoring"), "ANSWER_COLUMNS", 1)
        model = workload.settings["model"]
        return cls(model["content_type"], model["accept"], columns)


class Row(NamedTuple):
    """A row as it was sent, without a line end, and the live model's answer.

    The answer is None if another model gave it, or if it was not captured as the type that the workload
    reads. `time` is when the row was sent: of a batch transform, when its run began. `place` is for people.
    """

    request: str
    answer: str | None
    time: datetime
    place: str


@dataclass(frozen=True)
class Block:
    """Some rows of a file, in its order. `run` has predicted them; it is empty if an endpoint did."""

    run: str
    rows: Sequence[Row]

    @property
    def kind(self) -> str:
        """BATCH or ENDPOINT."""
        return BATCH if self.run else ENDPOINT


def request_of(rows: Iterable[Row]) -> str:
    """Rows as one request."""
    return "".join(f"{row.request}\n" for row in rows)


def run_time(run: str) -> datetime | None:
    """When a run of this id began, to the minute; None if it is no id of a run."""
    match = _RUN.fullmatch(run)
    try:
        return datetime.strptime(match[1], "%Y%m%d-%H%M").replace(tzinfo=UTC) if match else None
    except ValueError:
        return None


def predicted(root: Path, form: Form, left_out: LeftOut) -> Iterator[Block]:
    """The rows of `runs/<run>/predictions/`, which batch transforms wrote with JoinSource Input.

    They have no answers: a run predicts with its own model, which nobody has approved yet.
    """
    for path in sorted(root.glob("runs/*/predictions/**/*.out")):
        name = path.relative_to(root)
        run = name.parts[1]
        if time := run_time(run):
            yield from blocks(run, _joined_rows(path, name.as_posix(), time, form, left_out))


def blocks(run: str, rows: Iterable[Row]) -> Iterator[Block]:
    """Rows in blocks that fit into memory."""
    some: list[Row] = []
    size = 0
    for row in rows:
        some.append(row)
        size += len(row.request)
        if len(some) == _ROWS or size >= _CHARACTERS:
            yield Block(run, some)
            some, size = [], 0
    if some:
        yield Block(run, some)


def lines(path: Path, name: str, left_out: LeftOut) -> Iterator[tuple[str, str]]:
    """The place and the text of each line of a file that is not empty."""
    with path.open("rb") as stream:
        number, starts = 0, True
        while piece := stream.readline(LONGEST_LINE):
            is_whole = piece.endswith(b"\n") or len(piece) < LONGEST_LINE
            number += starts
            place = f"{name}, line {number}"
            if starts and not is_whole:
                left_out.add(f"longer than {LONGEST_LINE >> 20} MiB", place)
            elif starts and (text := _decoded(piece, place, left_out)):
                yield place, text
            starts = is_whole


def _decoded(line: bytes, place: str, left_out: LeftOut) -> str:
    try:
        return line.rstrip(b"\r\n").decode("utf-8")
    except UnicodeDecodeError:
        left_out.add("not encoded in UTF-8", place)
        return ""


def _joined_rows(path: Path, name: str, time: datetime, form: Form, left_out: LeftOut) -> Iterator[Row]:
    is_json = media_type(form.content_type) in _JSON
    for place, line in lines(path, name, left_out):
        try:
            request = _request_of_object(line) if is_json else _request_of_csv(line, form.answer_columns)
        except Unreadable as problem:
            left_out.add(str(problem), place)
        else:
            yield Row(request, None, time, place)


def _request_of_csv(line: str, answer_columns: int) -> str:
    """The line without its last columns, which are the answer."""
    request, *answer = line.rsplit(",", answer_columns)
    if any('"' in cell for cell in answer):
        return _request_of_quoted(line, answer_columns)
    if len(answer) < answer_columns or not all(answer):
        raise Unreadable("without an answer")
    return request


def _request_of_quoted(line: str, answer_columns: int) -> str:
    """The same where a comma may be inside quotes. A doubled quote ends them and begins them again."""
    borders, inside = [], False
    for position, character in enumerate(line):
        inside ^= character == '"'
        if character == "," and not inside:
            borders.append(position)
    if inside or len(borders) < answer_columns:
        raise Unreadable("without an answer")
    return line[: borders[-answer_columns]]


def _request_of_object(line: str) -> str:
    """The object without the answer; a request that is no object is below a key of its own."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise Unreadable("no JSON") from None
    if not isinstance(found, dict) or _OUTPUT not in found:
        raise Unreadable("without an answer")
    del found[_OUTPUT]
    return json.dumps(found.get(_INPUT, found))
