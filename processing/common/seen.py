"""Reads what models were asked and what they answered, from the files of batch transforms and data capture.

Nothing here is larger in memory than a block and a line, however large the files are. A line that cannot be
read is left out and counted. Standard library only.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from common import lenient
from common.left_out import LeftOut
from common.serving import media_type
from common.workload import Workload

BATCH, ENDPOINT = "batch", "endpoint"
# Above the largest request of any endpoint, 25 MB, in base64 and with its answer.
LONGEST_LINE = 64 << 20

# The files are chosen by when they were stored, and an endpoint stores what it captured somewhat later.
CAPTURE_DELAY = timedelta(hours=1)

_ROWS, _BYTES = 1000, 4 << 20
_JSON = ("application/json", "application/jsonlines")
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
        """What its workload.json says; monitoring.py says it if an answer has several columns."""
        columns = getattr(workload.module("monitoring"), "ANSWER_COLUMNS", 1)
        model = workload.settings["model"]
        return cls(model["content_type"], model["accept"], columns)

    @property
    def is_json(self) -> bool:
        """Whether a batch transform joins rows and answers as JSON."""
        return media_type(self.content_type) in _JSON


@dataclass(frozen=True)
class Window:
    """From `since`, inclusive, to `until`, in which the files were stored."""

    since: datetime
    until: datetime

    def __contains__(self, moment: datetime) -> bool:
        """Whether what happened at this moment may have been stored in the window."""
        return self.since - CAPTURE_DELAY <= moment < self.until


@dataclass(frozen=True)
class Block:
    """Some rows as they were sent, without line ends, with the answer to each; in files' order.

    An answer is None if it was not captured or is of another type than the workload's. `run` predicted them
    by a batch transform; of an endpoint's rows it is empty. `times` say when each was asked: of a batch
    transform, when its run started.
    """

    run: str
    place: str
    requests: list[str] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """BATCH or ENDPOINT."""
        return BATCH if self.run else ENDPOINT

    def __len__(self) -> int:
        return len(self.requests)


def read_time(text: str) -> datetime:
    """ISO 8601; UTC where it names no zone. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def run_time(run: str) -> datetime | None:
    """When a run of this id started, to the minute; None if it is no id of a run."""
    match = _RUN.fullmatch(run)
    try:
        return datetime.strptime(match[1], "%Y%m%d-%H%M").replace(tzinfo=UTC) if match else None
    except ValueError:
        return None


def predicted(root: Path, form: Form, left_out: LeftOut) -> Iterator[Block]:
    """The rows of `runs/<run>/predictions/`, which batch transforms wrote with JoinSource Input."""
    split = _split_json if form.is_json else _split_csv
    for path in sorted(root.glob("runs/*/predictions/**/*.out")):
        run = path.relative_to(root).parts[1]
        if time := run_time(run):
            rows = _rows(path, path.relative_to(root).as_posix(), split, form, left_out)
            yield from _blocks(run, ((place, request, answer, time) for place, request, answer in rows))


def captured(root: Path, workload: str, form: Form, window: Window, left_out: LeftOut) -> Iterator[Block]:
    """The rows of `captured/<workload>/`, which an endpoint answered within the window.

    Each line is an event of data capture: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
    """
    for path in sorted(root.glob(f"captured/{workload}/**/*.jsonl")):
        yield from _blocks("", _calls(path, path.relative_to(root).as_posix(), form, window, left_out))


def _blocks(run: str, rows: Iterable[tuple[str, str, str | None, datetime]]) -> Iterator[Block]:
    block, size = None, 0
    for place, request, answer, time in rows:
        if block is None or len(block) == _ROWS or size >= _BYTES:
            if block:
                yield block
            block, size = Block(run, place), 0
        block.requests.append(request)
        block.answers.append(answer)
        block.times.append(time)
        size += len(request)
    if block:
        yield block


def _lines(path: Path, name: str, left_out: LeftOut) -> Iterator[tuple[str, str]]:
    """The place and the text of each line that is not empty."""
    with path.open("rb") as stream:
        number = 0
        while line := stream.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                left_out.add(f"longer than {LONGEST_LINE >> 20} MiB", f"{name}, line {number}")
                while line and not line.endswith(b"\n"):
                    line = stream.readline(LONGEST_LINE)
                continue
            try:
                text = line.rstrip(b"\r\n").decode("utf-8")
            except UnicodeDecodeError:
                left_out.add("not encoded in UTF-8", f"{name}, line {number}")
                continue
            if text:
                yield f"{name}, line {number}", text


def _rows(
    path: Path, name: str, split: Any, form: Form, left_out: LeftOut
) -> Iterator[tuple[str, str, str | None]]:
    for place, line in _lines(path, name, left_out):
        try:
            request, answer = split(line, form)
        except Unreadable as problem:
            left_out.add(str(problem), place)
        else:
            yield place, request, answer


def _split_csv(line: str, form: Form) -> tuple[str, str]:
    """The request of a joined line, and the answer, which is its last columns."""
    parts = line.rsplit(",", form.answer_columns)
    answer = parts[1:]
    if any('"' in cell for cell in answer):
        return _split_quoted(line, form)
    if len(answer) < form.answer_columns or not all(answer):
        raise Unreadable("without an answer")
    return parts[0], ",".join(answer)


def _split_quoted(line: str, form: Form) -> tuple[str, str]:
    """The same where a comma may be inside quotes."""
    # A quote that opens or closes a field changes whether the text after it is inside quotes.
    borders, inside = [], False
    for position, character in enumerate(line):
        inside ^= character == '"'
        if character == "," and not inside:
            borders.append(position)
    if len(borders) < form.answer_columns or inside:
        raise Unreadable("without an answer")
    border = borders[-form.answer_columns]
    return line[:border], line[border + 1 :]


def _split_json(line: str, form: Form) -> tuple[str, str]:
    """The request and the answer of a joined object."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise Unreadable("no JSON") from None
    if not isinstance(found, dict) or "SageMakerOutput" not in found:
        raise Unreadable("without an answer")
    answer = found.pop("SageMakerOutput")
    return json.dumps(found.get("SageMakerInput", found)), json.dumps(answer)


def _calls(
    path: Path, name: str, form: Form, window: Window, left_out: LeftOut
) -> Iterator[tuple[str, str, str | None, datetime]]:
    for place, line in _lines(path, name, left_out):
        try:
            event = _event(line)
            time = _inference_time(event)
            if time not in window:
                continue
            captures = lenient.mapping(event["captureData"])
            requests = _request_rows(lenient.mapping(captures.get("endpointInput")), form)
        except Unreadable as problem:
            left_out.add(str(problem), place)
            continue
        answers = _answer_rows(lenient.mapping(captures.get("endpointOutput")), form, len(requests))
        for request, answer in zip(requests, answers, strict=True):
            yield place, request, answer, time


def _event(line: str) -> Mapping[str, Any]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        raise Unreadable("no JSON") from None
    if not lenient.mapping(lenient.mapping(event).get("captureData")):
        raise Unreadable("no event of data capture")
    return lenient.mapping(event)


def _inference_time(event: Mapping[str, Any]) -> datetime:
    try:
        return read_time(lenient.text(lenient.mapping(event.get("eventMetadata")).get("inferenceTime")))
    except ValueError:
        raise Unreadable("captured without a time") from None


def _request_rows(side: Mapping[str, Any], form: Form) -> list[str]:
    if not side:
        raise Unreadable("captured without the request")
    observed = media_type(lenient.text(side.get("observedContentType")))
    if observed != media_type(form.content_type):
        shown = observed[:60] or "no type"
        raise Unreadable(f"requests of {shown}; only {form.content_type} is looked at")
    return _side_lines(side)


def _answer_rows(side: Mapping[str, Any], form: Form, rows: int) -> list[str] | list[None]:
    """The answer to each row; None for each where they cannot be told apart."""
    if media_type(lenient.text(side.get("observedContentType"))) == media_type(form.accept):
        try:
            answers = _side_lines(side)
        except Unreadable:
            answers = []
        if len(answers) == rows:
            return answers
    return [None] * rows


def _side_lines(side: Mapping[str, Any]) -> list[str]:
    text, encoding = lenient.text(side.get("data")), side.get("encoding")
    if encoding == "BASE64":
        try:
            text = base64.b64decode(text, validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            raise Unreadable("captured in a wrong encoding") from None
    elif encoding not in ("CSV", "JSON"):
        raise Unreadable("captured in a wrong encoding")
    lines = text.removeprefix("\ufeff").removesuffix("\n").removesuffix("\r").split("\n")
    return [line.removesuffix("\r") for line in lines]
