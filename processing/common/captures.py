"""Reads what an endpoint captured, which is JSON lines with an event for each request.

The layout: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
Standard library only.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from common import lenient
from common.left_out import LeftOut
from common.seen import Block, Form, Row, Unreadable, blocks, lines
from common.serving import media_type

# The files are chosen by when they were stored, and an endpoint stores what it captured somewhat later.
CAPTURE_DELAY = timedelta(hours=1)


@dataclass(frozen=True)
class Window:
    """From `since`, inclusive, to `until`, in which the files were stored."""

    since: datetime
    until: datetime

    @property
    def before(self) -> Window:
        """All the time before."""
        return Window(datetime.min.replace(tzinfo=UTC) + CAPTURE_DELAY, self.since)

    def __contains__(self, moment: datetime) -> bool:
        """Whether what happened at this moment may have been stored in the window."""
        return self.since - CAPTURE_DELAY <= moment < self.until


def captured(root: Path, workload: str, form: Form, window: Window, left_out: LeftOut) -> Iterator[Block]:
    """The rows of `captured/<workload>/`, which an endpoint answered within the window.

    Each line is an event of data capture:
    https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
    """
    for path in sorted(root.glob(f"captured/{workload}/**/*.jsonl")):
        name = path.relative_to(root).as_posix()
        yield from blocks("", _captured_rows(path, name, form, window, left_out))


def read_time(text: str) -> datetime:
    """ISO 8601; UTC where it names no zone. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _captured_rows(path: Path, name: str, form: Form, window: Window, left_out: LeftOut) -> Iterator[Row]:
    for place, line in lines(path, name, left_out):
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
            yield Row(request, answer, time, place)


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
