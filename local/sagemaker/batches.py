"""Sends the logs and events of jobs in batches, without ever delaying a job."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")

_log = logging.getLogger(__name__)


class Batches(Generic[Item]):
    """Passes items to `deliver` on a separate thread, in order, many at a time.

    `delay` is how long the first item of a batch waits for others. Exceptions from `deliver` are logged and
    dropped, because logs and events are best effort, as in AWS.
    """

    def __init__(self, deliver: Callable[[list[Item]], None], *, delay: float, size: int, name: str) -> None:
        self._deliver = deliver
        self._delay = delay
        self._size = size
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Queue an item; returns at once."""
        self._queue.put(item)

    def close(self, timeout: float = 5.0) -> None:
        """Send the remaining items. Idempotent."""
        if not self._closing.is_set():
            self._closing.set()
            self._queue.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            self._closing.wait(self._delay)
            batch = [item]
            while len(batch) < self._size and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    self._queue.put(None)
                    break
                batch.append(following)
            try:
                self._deliver(batch)
            except Exception as error:
                _log.warning("%s: %d items were not sent: %s", self._thread.name, len(batch), error)
