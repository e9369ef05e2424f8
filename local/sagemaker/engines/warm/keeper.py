"""Watches one job from a separate process: enforces its limits and ends everything that it started.

The keeper takes the role of the container runtime: when a container's first process ends, for any reason,
everything it started ends as well. It outlives neither the job nor the server: the end of the status socket
means that the server has ended.
"""

from __future__ import annotations

import json
import math
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any, Literal, NoReturn

from local.sagemaker.engines.warm import job as job_process
from local.sagemaker.engines.warm import tree

MEMORY_CHECK_SECONDS = 0.25

Reason = Literal["exited", "timed_out", "stopped", "out_of_memory"]


def keep(request: dict[str, Any], status_fd: int, output_fd: int, *others: int) -> None:
    """Run one job to its end. Reads ``{"stop": grace seconds}`` and ``{"kill": "job" or "children"}`` from
    the status socket; writes ``{"code": int or null, "reason": ...}`` to it after the last process of the
    job has ended. The other descriptors are its standard input, if it has one, and a network to join."""
    stdin_fd, network = (others[0], others[1:]) if request["stdin"] else (None, others)
    wakeup = wake_on_child_exit()
    tree.adopt_orphans()
    pid = os.fork()
    if pid == 0:
        become_job(request, output_fd, stdin_fd, network)
    for fd in (output_fd, *others):
        os.close(fd)
    with socket.socket(fileno=status_fd) as status:
        keeper = Keeper(request, pid, status, wakeup)
        exit_status = keeper.watch()
        tree.kill_all(pid)
        code = os.WEXITSTATUS(exit_status) if os.WIFEXITED(exit_status) else None
        answer = {"code": code, "reason": keeper.reason, **used(keeper.peak_bytes)}
        try:
            status.sendall(json.dumps(answer).encode())
        except OSError:
            return


def used(peak_bytes: int) -> dict[str, float]:
    """What the job and all that it started have used, now that all have ended; memory at least so much."""
    total = resource.getrusage(resource.RUSAGE_CHILDREN)
    # The largest single process. Kilobytes, but bytes on macOS.
    largest = total.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"cpu_seconds": total.ru_utime + total.ru_stime, "peak_bytes": max(largest, peak_bytes)}


def wake_on_child_exit() -> int:
    """A file descriptor that becomes readable when a child ends."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reader


def become_job(
    request: dict[str, Any], output_fd: int, stdin_fd: int | None, network: Sequence[int]
) -> NoReturn:
    try:
        job_process.run(request, output_fd, stdin_fd, network)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


class Keeper:
    """Watches one job; afterwards, ``reason`` says why it ended, and ``peak_bytes`` the most memory seen."""

    def __init__(self, request: dict[str, Any], pid: int, status: socket.socket, wakeup: int) -> None:
        self.reason: Reason = "exited"
        self.peak_bytes = 0
        self._pid = pid
        self._status = status
        self._wakeup = wakeup
        self._grace: float = request["grace"]
        self._memory: int | None = request["memory_bytes"]
        timeout = request["timeout"]
        self._deadline = math.inf if timeout is None else time.monotonic() + timeout
        self._kill_at = math.inf
        self._killed = False
        self._messages = b""

    def watch(self) -> int:
        """Block until the job ends; returns its wait status."""
        while (exit_status := self._reap()) is None:
            watched = [self._wakeup] if self._killed else [self._wakeup, self._status.fileno()]
            ready, _, _ = select.select(watched, [], [], self._pause())
            if self._wakeup in ready:
                os.read(self._wakeup, 512)
            if self._status.fileno() in ready:
                self._hear()
            self._enforce()
        return exit_status

    def _reap(self) -> int | None:
        while True:
            pid, exit_status = os.waitpid(-1, os.WNOHANG)
            if pid == self._pid:
                return exit_status
            if pid == 0:
                return None

    def _pause(self) -> float | None:
        now = time.monotonic()
        memory_check = math.inf if self._memory is None else now + MEMORY_CHECK_SECONDS
        moment = min(self._deadline, self._kill_at, memory_check)
        return None if moment == math.inf else max(0.0, moment - now)

    def _hear(self) -> None:
        part = self._status.recv(4096)
        if not part:
            self._kill("stopped")
            return
        self._messages += part
        *lines, self._messages = self._messages.split(b"\n")
        for line in lines:
            match json.loads(line):
                case {"stop": grace}:
                    self._terminate("stopped", grace)
                case {"kill": what}:
                    tree.kill(tree.resident_bytes(self._pid) if what == "children" else [self._pid])

    def _enforce(self) -> None:
        now = time.monotonic()
        if now >= self._deadline:
            self._deadline = math.inf
            self._terminate("timed_out", self._grace)
        if now >= self._kill_at:
            self._kill(self.reason)
        if self._memory is not None:
            resident = tree.resident_bytes(self._pid, include_root=True)
            self.peak_bytes = max(self.peak_bytes, sum(resident.values()))
            if tree.exceed(resident, self._memory):
                self._kill("out_of_memory")

    def _terminate(self, reason: Reason, grace: float) -> None:
        """Send SIGTERM to the job alone, as a container runtime does; kill everything after ``grace``."""
        if self.reason == "exited":
            self.reason = reason
            os.kill(self._pid, signal.SIGTERM)
        self._kill_at = min(self._kill_at, time.monotonic() + grace)

    def _kill(self, reason: Reason) -> None:
        if self.reason == "exited":
            self.reason = reason
        self._killed = True
        self._deadline = self._kill_at = math.inf
        self._memory = None
        os.kill(self._pid, signal.SIGKILL)
