"""A production variant: its instances, and the requests that wait for one of them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.sagemaker.endpoints.connection import Connection, Gone
from local.sagemaker.endpoints.hosted import Hosted
from local.sagemaker.endpoints.instance import Instance
from local.sagemaker.errors import JobFailed, ServiceError
from local.sagemaker.jobs import Backend

# How long SageMaker waits for a container's answer.
ANSWER_SECONDS = 60.0
_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency "
    "metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
)


@dataclass(frozen=True)
class Answer:
    """What a container answered. ``seconds`` is the time it took, ``setup_seconds`` that of its start if this
    is its first answer; a status of 0 means that it gave none."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    setup_seconds: float | None = None


class Variant:
    """Its weight may change at any time, and so may the number of its instances."""

    def __init__(self, backend: Backend, hosted: Hosted, folder: Path, weight: float, instances: int) -> None:
        self.hosted = hosted
        self.weight = weight
        self._backend = backend
        self._folder = folder
        self._free: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        limit = hosted.serverless["MaxConcurrency"] if hosted.serverless else 0
        self._slots = threading.BoundedSemaphore(limit) if limit else None
        self._instances: list[Instance] = []
        self.scale(instances)

    @property
    def name(self) -> str:
        return self.hosted.name

    @property
    def instances(self) -> int:
        """The number of its instances; one runs for a serverless variant, whatever its concurrency."""
        return len(self._instances)

    def scale(self, instances: int) -> None:
        """Start or stop instances, to have this many; returns at once."""
        while len(self._instances) < instances:
            self._instances.append(Instance(self._backend, self.hosted, self._folder, self._free.put))
        for instance in self._instances[instances:]:
            instance.stop()
        del self._instances[instances:]

    def wait_until_healthy(self) -> None:
        """Block until every instance has started. Raises `JobFailed`."""
        for instance in list(self._instances):
            if problem := instance.wait_until_healthy():
                raise JobFailed(problem)

    def stop(self) -> list[Instance]:
        """Stop every instance, after the requests that they have; returns them at once."""
        stopped = list(self._instances)
        self.scale(0)
        return stopped

    def ask(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send an invocation to an instance that is free. Raises `ServiceError` if there are too many."""
        if self._slots is None:
            return self._ask(headers, body)
        if not self._slots.acquire(blocking=False):
            # AWS gives this error no message.
            raise ServiceError("ThrottlingException", "", 400)
        try:
            return self._ask(headers, body)
        finally:
            self._slots.release()

    def _ask(self, headers: Mapping[str, str], body: bytes) -> Answer:
        deadline = time.monotonic() + ANSWER_SECONDS
        connection = self._take(deadline)
        began = time.monotonic()
        head = {"method": "POST", "path": "/invocations", "headers": dict(headers)}
        setup, connection.setup_seconds = connection.setup_seconds, None
        try:
            told, content = connection.ask(head, body, max(0.001, deadline - began))
            status, answered = told["status"], told["headers"]
        except TimeoutError:
            status, answered, content = 0, {}, _TIMED_OUT.encode()
        except Gone:
            status, answered, content = 502, {}, b"Bad Gateway"
        took = time.monotonic() - began
        if connection.release():
            self._free.put(connection)
        return Answer(status, answered, content, took, setup)

    def _take(self, deadline: float) -> Connection:
        while True:
            try:
                connection = self._free.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise ServiceError(
                    "ServiceUnavailable",
                    "The request has failed due to a temporary failure of the server.",
                    503,
                ) from None
            if connection.reserve():
                return connection
