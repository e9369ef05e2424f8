"""A running job from the server's side: its output, its end, and how to stop it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import selectors
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

MAX_LINE_BYTES = 256 * 1024
# After a job's end, an escaped process may still hold its output open; the server waits this long for more.
DRAIN_SECONDS = 0.5
# The server reads a job's output no more often. To wake up for each line costs more than the line itself.
READ_SECONDS = 0.01
READ_BYTES = 65536


@dataclass(frozen=True)
class Exit:
    """How a job ended. ``code`` is None when a signal killed it; ``reason`` is why the server ended it, or
    "exited". ``cpu_seconds`` is what all of its processes computed, ``peak_bytes`` the most memory that they
    had together, as far as somebody looked."""

    code: int | None
    reason: Literal["exited", "timed_out", "stopped", "out_of_memory"]
    cpu_seconds: float = field(default=0.0, compare=False)
    peak_bytes: int = field(default=0, compare=False)


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
        """Block until all of the job has ended and ``on_line`` got every line. Raises the first exception of
        ``on_line``."""
        self.join()
        if self._problem is not None:
            raise self._problem
        if self._ended:
            return Exit(**json.loads(self._ended))
        return Exit(None, "stopped" if self._stopping else "exited")

    def join(self, seconds: float | None = None) -> None:
        """Like ``wait``, but at most so long, and without the outcome."""
        self._thread.join(seconds)

    def is_running(self) -> bool:
        return self._thread.is_alive()

    def stop(self, grace: float | None = None) -> None:
        """Ask the job to end: SIGTERM to it, after ``grace`` seconds (default: that of the workers) SIGKILL
        to it and all its children. Returns at once. Has no effect on a job that has ended."""
        self._stopping = True
        self._tell({"stop": self._grace if grace is None else grace})

    def kill(self, what: Literal["job", "children"] = "job") -> None:
        """Kill the job, or all that it started, as if its machine had; it ends like one that dies by itself.
        Returns at once. Has no effect on a job that has ended."""
        self._tell({"kill": what})

    def _tell(self, message: dict[str, object]) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._status.sendall(json.dumps(message).encode() + b"\n")

    def send(self, line: str) -> None:
        """Write a line to the standard input of a job spawned with ``stdin=True``. Raises OSError if it has
        ended."""
        with self._stdin_lock:
            if self._stdin_fd is None:
                raise BrokenPipeError("the job has no open standard input")
            rest = memoryview(line.encode() + b"\n")
            while rest:
                rest = rest[os.write(self._stdin_fd, rest) :]

    def close_stdin(self) -> None:
        """Close the job's standard input."""
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
        """Read the available output. Returns whether more can come."""
        if not is_status:
            output = os.read(self._output_fd, READ_BYTES)
            lines.feed(output)
            if 0 < len(output) < READ_BYTES:
                self._pause()
            return bool(output)
        try:
            part = self._status.recv(4096)
        except ConnectionResetError:  # the keeper ended before it read a request to stop
            part = b""
        self._ended += part
        return bool(part)

    def _pause(self) -> None:
        """Let output gather, unless the job ends."""
        waiting = select.poll()
        waiting.register(self._status, select.POLLIN)
        waiting.poll(READ_SECONDS * 1000)

    def _deliver(self, line: str) -> None:
        try:
            self._on_line(line)
        except Exception as problem:
            self._problem = self._problem or problem


class LineBuffer:
    """Splits a stream of bytes into lines of text; one longer than MAX_LINE_BYTES comes in pieces."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Add bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._emit(line)
        while len(self._rest) > MAX_LINE_BYTES:
            self._emit(self._rest[:MAX_LINE_BYTES])
            self._rest = self._rest[MAX_LINE_BYTES:]

    def end(self) -> None:
        """End the stream: the rest is a line, too."""
        if self._rest:
            self._emit(self._rest)
            self._rest = b""

    def _emit(self, line: bytes) -> None:
        self._on_line(line.decode(errors="replace").removesuffix("\r"))
