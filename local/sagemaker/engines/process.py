"""One running job, as the server sees it: its lines, its end, and how to stop it."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

MAX_LINE_BYTES = 256 * 1024
# How long output may stay silent, after a job has ended, while something that escaped still holds it open.
DRAIN_SECONDS = 0.5


@dataclass(frozen=True)
class Exit:
    """How a job ended. ``code`` is None when a signal killed it; ``reason`` tells why the server ended it, or
    "exited" when it did not."""

    code: int | None
    reason: Literal["exited", "timed_out", "stopped", "out_of_memory"]


class Process:
    """A running job. Made by ``WarmWorkers.spawn``; every method may be called from any thread."""

    def __init__(
        self,
        status: socket.socket,
        output_fd: int,
        stdin_fd: int | None,
        on_line: Callable[[str], None],
        grace: float,
    ) -> None:
        self._status = status
        self._output_fd = output_fd
        self._stdin_fd = stdin_fd
        self._on_line = on_line
        self._grace = grace
        self._lock = threading.Lock()
        self._stdin_lock = threading.Lock()
        self._stopping = False
        self._ended = b""
        self._problem: Exception | None = None
        self._thread = threading.Thread(target=self._watch, name="job", daemon=True)
        self._thread.start()

    def wait(self) -> Exit:
        """Block until nothing of the job is left and every line was given to ``on_line``. Raises what
        ``on_line`` raised first, if it did."""
        self.join()
        if self._problem is not None:
            raise self._problem
        if self._ended:
            return Exit(**json.loads(self._ended))
        return Exit(None, "stopped" if self._stopping else "exited")

    def join(self) -> None:
        """As ``wait``, without the outcome."""
        self._thread.join()

    def is_running(self) -> bool:
        return self._thread.is_alive()

    def stop(self, grace: float | None = None) -> None:
        """Ask the job to end: SIGTERM to it, after ``grace`` seconds (default: that of the workers) SIGKILL
        to it and all its children. Returns at once. A job that has ended stays as it is."""
        message = json.dumps({"stop": self._grace if grace is None else grace}).encode() + b"\n"
        with self._lock, contextlib.suppress(OSError):
            self._stopping = True
            self._status.sendall(message)

    def send(self, line: str) -> None:
        """Write a line to the standard input of a job spawned with ``stdin=True``. Raises OSError when it has
        ended."""
        with self._stdin_lock:
            if self._stdin_fd is None:
                raise BrokenPipeError("the job has no open standard input")
            rest = memoryview(line.encode() + b"\n")
            while rest:
                rest = rest[os.write(self._stdin_fd, rest) :]

    def close_stdin(self) -> None:
        """Let the job read the end of its standard input."""
        with self._stdin_lock:
            if self._stdin_fd is not None:
                os.close(self._stdin_fd)
                self._stdin_fd = None

    def _watch(self) -> None:
        try:
            self._read_to_end()
        finally:
            self.close_stdin()
            os.close(self._output_fd)
            with self._lock:
                self._status.close()

    def _read_to_end(self) -> None:
        lines = LineBuffer(self._deliver)
        with selectors.DefaultSelector() as selector:
            selector.register(self._output_fd, selectors.EVENT_READ)
            selector.register(self._status, selectors.EVENT_READ)
            while selector.get_map():
                over = self._status not in selector.get_map()
                ready = selector.select(DRAIN_SECONDS if over else None)
                if not ready:
                    break
                for key, _ in ready:
                    if not self._read(key.fileobj is self._status, lines):
                        selector.unregister(key.fileobj)
        lines.end()

    def _read(self, is_status: bool, lines: LineBuffer) -> bool:
        """Read what is there; whether more can come."""
        if not is_status:
            output = os.read(self._output_fd, 65536)
            lines.feed(output)
            return bool(output)
        try:
            part = self._status.recv(4096)
        except ConnectionResetError:  # the keeper ended before it read a request to stop
            part = b""
        self._ended += part
        return bool(part)

    def _deliver(self, line: str) -> None:
        try:
            self._on_line(line)
        except Exception as problem:
            self._problem = self._problem or problem


class LineBuffer:
    """Cuts a stream of bytes into lines of text; one longer than MAX_LINE_BYTES comes in pieces."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take more bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._emit(line)
        while len(self._rest) > MAX_LINE_BYTES:
            self._emit(self._rest[:MAX_LINE_BYTES])
            self._rest = self._rest[MAX_LINE_BYTES:]

    def end(self) -> None:
        """No more bytes come: what is left is a line too."""
        if self._rest:
            self._emit(self._rest)
            self._rest = b""

    def _emit(self, line: bytes) -> None:
        self._on_line(line.decode(errors="replace").removesuffix("\r"))
