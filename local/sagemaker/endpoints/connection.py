"""The connection to one container, which gets one request at a time over it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from local.sagemaker.engines.serving import frames
from local.sagemaker.engines.serving.frames import Frame


class Gone(Exception):
    """The container ended before it answered."""


class Connection:
    """One side of a socket; the other is the container's standard input.

    Whoever has reserved it may ask; `on_close` is called when nobody can ask any more.
    """

    def __init__(self, ours: socket.socket) -> None:
        self._socket = ours
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._reserved = self._retired = self._closed = False
        self.on_close: Callable[[], None] = lambda: None
        # How long the container took to get healthy, until somebody has reported it.
        self.setup_seconds: float | None = None

    def wait_until_healthy(self, seconds: float) -> bool:
        """Whether the container says so in time."""
        try:
            self._socket.settimeout(seconds)
            said = frames.receive(self._socket)
        except OSError:
            return False
        self.setup_seconds = time.monotonic() - self._began
        return said is not None

    def reserve(self) -> bool:
        """Reserve it for one request; False if it is closed."""
        with self._lock:
            self._reserved = not self._closed
            return self._reserved

    def release(self) -> bool:
        """End a reservation; False if it is closed, now or before."""
        with self._lock:
            self._reserved = False
            retired = self._retired
        if retired:
            self.close()
        return not self._closed

    def retire(self) -> None:
        """Close it, but let a request that has reserved it get its answer."""
        with self._lock:
            self._retired = True
            reserved = self._reserved
        if not reserved:
            self.close()

    def ask(self, head: dict[str, Any], body: bytes, seconds: float) -> Frame:
        """The answer to a request. Raises Gone and TimeoutError, and closes it then."""
        try:
            self._socket.settimeout(seconds)
            frames.send(self._socket, head, body)
            answer = frames.receive(self._socket)
        except TimeoutError:
            self.close()
            raise
        except OSError:
            answer = None
        if answer is None:
            self.close()
            raise Gone
        return answer

    def close(self) -> None:
        """Let the container notice the end. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._socket.close()
        self.on_close()
