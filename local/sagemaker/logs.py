"""The output of jobs, in CloudWatch Logs."""

from __future__ import annotations

import itertools
import logging
import time
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.sagemaker.batches import Batches
from local.sagemaker.clients import Clients

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stream:
    """A log stream, written with the rights of a job's role."""

    role_arn: str
    group: str
    name: str


class Logs:
    """Writes lines to log streams and creates these. Never raises and never waits."""

    # Limits of PutLogEvents: 10,000 events and 1 MB per call, 256 KB per event.
    _SIZE = 2_000
    _LINE = 50_000

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._made: set[Stream] = set()
        self._batches: Batches[tuple[Stream, int, str]] = Batches(
            self._send, delay=1.0, size=self._SIZE, name="sagemaker-logs"
        )

    def write(self, stream: Stream, line: str) -> None:
        """Add a line; one that is too long for an event becomes several."""
        now = int(time.time() * 1000)
        for start in range(0, len(line) or 1, self._LINE):
            self._batches.put((stream, now, line[start : start + self._LINE] or " "))

    def close(self) -> None:
        """Send the remaining lines."""
        self._batches.close()

    def _send(self, batch: list[tuple[Stream, int, str]]) -> None:
        for stream in dict.fromkeys(stream for stream, _, _ in batch):
            events = [{"timestamp": at, "message": text} for own, at, text in batch if own == stream]
            try:
                self._put(stream, events)
            except (ClientError, BotoCoreError) as error:
                _log.warning("%s %s: %d lines lost: %s", stream.group, stream.name, len(events), error)

    def _put(self, stream: Stream, events: list[dict[str, Any]]) -> None:
        client = self._clients.client("logs", stream.role_arn)
        self._make(client, stream)
        for chunk in _chunks(events):
            client.put_log_events(logGroupName=stream.group, logStreamName=stream.name, logEvents=chunk)

    def _make(self, client: Any, stream: Stream) -> None:
        if stream in self._made:
            return
        group = {"logGroupName": stream.group}
        # A job does not know what another role's job has created.
        if not any((made.group, made.role_arn) == (stream.group, stream.role_arn) for made in self._made):
            _once(client.create_log_group, group)
        _once(client.create_log_stream, group | {"logStreamName": stream.name})
        self._made.add(stream)


def _once(create: Any, request: dict[str, str]) -> None:
    try:
        create(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise


def _chunks(events: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    sizes = itertools.accumulate(len(event["message"].encode()) + 26 for event in events)
    chunks = itertools.groupby(zip(events, sizes, strict=True), key=lambda pair: pair[1] // 500_000)
    return [[event for event, _ in chunk] for _, chunk in chunks]
