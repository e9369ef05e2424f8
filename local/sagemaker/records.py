"""Batch transform's records: objects to payloads, the choice of columns, results joined to inputs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from local.sagemaker.errors import JobFailed

# A CSV field with its quotes, so that the selected fields stay unchanged.
_FIELD = re.compile(r'\s*"(?:[^"]|"")*"[^,]*|[^,]*')
_SLICE = re.compile(r"\$\[(-?\d+)?:(-?\d+)?\]")
_INDEXES = re.compile(r"\$\[(-?\d+(?:\s*,\s*-?\d+)*)\]")

Select = Callable[[list[str]], list[str]]


class BadFilter(ValueError):
    """An invalid JSONPath, or one that cannot be applied here."""


def column_filter(path: str) -> Select:
    """The columns of a CSV record that `InputFilter` or `OutputFilter` selects.

    Supports `$[1:]`, `$[:-1]`, `$[0]` and `$[0,2]`. Raises `BadFilter` for any other JSONPath.
    """
    if match := _SLICE.fullmatch(path):
        start, end = (int(part) if part else None for part in match.groups())
        return lambda fields: fields[start:end]
    if match := _INDEXES.fullmatch(path):
        indexes = [int(part) for part in match[1].split(",")]
        return lambda fields: [fields[i] for i in indexes if -len(fields) <= i < len(fields)]
    raise BadFilter(f"{path} selects no columns of a CSV record; use $, $[1:], $[:-1], $[0] or $[0,2].")


def split_fields(line: str) -> list[str]:
    """The fields of a CSV line, each with its quotes."""
    fields: list[str] = []
    position = 0
    while True:
        match = _FIELD.match(line, position)
        end = match.end() if match else len(line)
        fields.append(line[position:end])
        if end >= len(line):
            return fields
        position = end + 1


def split_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The records of a file with SplitType Line: its lines without line ends, except empty ones."""
    return (record for line in lines if (record := line.rstrip(b"\r\n")))


@dataclass(frozen=True)
class Batching:
    """How records are combined into request bodies."""

    lines: bool
    many: bool
    max_bytes: int

    def payloads(self, records: Iterable[bytes]) -> Iterator[bytes]:
        """Request bodies of at most `max_bytes`. Raises `JobFailed` if one record is larger."""
        body: list[bytes] = []
        size = 0
        for record in records:
            self.check(len(record))
            if body and (not self.many or size + len(record) + 1 > self.max_bytes):
                yield self._body(body)
                body, size = [], 0
            body.append(record)
            size += len(record) + 1
        if body:
            yield self._body(body)

    def check(self, size: int) -> None:
        """Raise `JobFailed` if a record of so many bytes is too large."""
        if size + 1 > self.max_bytes:
            raise JobFailed(
                "ClientError: See job logs for more information: a record of "
                f"{size} bytes is larger than MaxPayloadInMB allows ({self.max_bytes} bytes)"
            )

    def _body(self, records: list[bytes]) -> bytes:
        return b"\n".join(records) + b"\n" if self.lines else records[0]


def select(records: Iterable[bytes], path: str) -> Iterator[bytes]:
    """The CSV records, reduced to the columns that a filter selects."""
    if path == "$":
        return iter(records)
    chosen = column_filter(path)
    return (",".join(chosen(split_fields(record.decode()))).encode() for record in records)


def is_json(content_type: str) -> bool:
    """Whether the records of a content type are JSON, one a line."""
    return re.match(r"application/json(lines)?\b", content_type) is not None


def join_csv(inputs: Iterable[bytes], results: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Each input record followed by its result. Raises `JobFailed` unless there is one result for each."""
    return (record + b"," + result for record, result in _pairs(inputs, results, name))


def join_json(inputs: Iterable[bytes], results: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Each input object with its result under `SageMakerOutput`; one that is no object is put under
    `SageMakerInput`. Raises `JobFailed` unless there is one result for each, and all are JSON.

    (JoinSource in "DataProcessing", Amazon SageMaker API reference.)
    """
    for record, result in _pairs(inputs, results, name):
        given, answer = _parsed(record, f"a record of {name}"), _parsed(result, "an answer of the model")
        whole = given if isinstance(given, dict) else {"SageMakerInput": given}
        text = json.dumps(whole | {"SageMakerOutput": answer}, ensure_ascii=False, separators=(",", ":"))
        yield text.encode()


def _pairs(inputs: Iterable[bytes], results: Iterable[bytes], name: str) -> Iterator[tuple[bytes, bytes]]:
    left, right = iter(inputs), iter(results)
    for count, (record, result) in enumerate(zip_longest(left, right)):
        if record is None or result is None:
            more = 1 + sum(1 for _ in (right if record is None else left))
            records, returned = (count, count + more) if record is None else (count + more, count)
            raise JobFailed(
                "ClientError: See job logs for more information: "
                f"{name} has {records} records, but the model returned {returned}; they cannot be joined"
            )
        yield record, result


def _parsed(line: bytes, what: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        shown = line[:80].decode(errors="replace")
        raise JobFailed(
            f"ClientError: See job logs for more information: {what} is no JSON: {shown}"
        ) from None
