"""Watches jobs from outside of them: enforces their limits and ends everything that they started.

It takes the role of the container runtime: when a container's first process ends, for any reason, everything
it started ends as well. No job outlives the server: the end of its status socket means that the server has
ended.

The interpreter of which the jobs are forks does this itself: a process between it and each job would be one
more fork, which costs more than a small job computes.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Collection
from typing import Any, Literal

from local.sagemaker.engines.warm import tree

MEMORY_CHECK_SECONDS = 0.25
# Orphans that do not end at once are looked for again after this time, and given up after the longer one.
ORPHAN_CHECK_SECONDS = 0.005
KILL_SECONDS = 5.0

Reason = Literal["exited", "timed_out", "stopped", "out_of_memory"]


class Keeper:
    """Watches one job. Reads ``{"stop": grace seconds}`` and ``{"kill": "job" or "children"}`` from the
    status socket, and writes how the job ended to it after the last process of the job has ended."""

    def __init__(self, request: dict[str, Any], pid: int, status: socket.socket) -> None:
        self.pid = pid
        self.status = status
        self.is_doomed = False
        self._exit_status = 0
        self._reason: Reason = "exited"
        self._peak_bytes = 0
        self._cpu_seconds = 0.0
        self._grace: float = request["grace"]
        self._memory: int | None = request["memory_bytes"]
        timeout = request["timeout"]
        self._deadline = math.inf if timeout is None else time.monotonic() + timeout
        self._kill_at = math.inf
        self._memory_check_at = math.inf if self._memory is None else time.monotonic() + MEMORY_CHECK_SECONDS
        self._give_up_at = math.inf
        self._messages = b""

    @property
    def next_look(self) -> float:
        """When to call ``enforce``, on the monotonic clock."""
        return min(self._deadline, self._kill_at, self._memory_check_at)

    def hear(self) -> None:
        """Read from the status socket, which has something to read."""
        try:
            part = self.status.recv(4096)
        except ConnectionError:  # the server has ended, too
            part = b""
        if not part:
            self.kill("stopped")
            return
        self._messages += part
        *lines, self._messages = self._messages.split(b"\n")
        for line in lines:
            match json.loads(line):
                case {"stop": grace}:
                    self._terminate("stopped", grace)
                case {"kill": what}:
                    tree.kill(tree.resident_bytes(self.pid) if what == "children" else [self.pid])

    def enforce(self) -> None:
        """End the job if its time is over or its memory full."""
        now = time.monotonic()
        if now >= self._deadline:
            self._deadline = math.inf
            self._terminate("timed_out", self._grace)
        if now >= self._kill_at:
            self.kill(self._reason)
        if self._memory is not None and now >= self._memory_check_at:
            self._memory_check_at = now + MEMORY_CHECK_SECONDS
            resident = tree.resident_bytes(self.pid, include_root=True)
            self._peak_bytes = max(self._peak_bytes, sum(resident.values()))
            if tree.exceed(resident, self._memory):
                self.kill("out_of_memory")

    def kill(self, reason: Reason) -> None:
        """Kill the job, but not yet what it has started."""
        if self._reason == "exited":
            self._reason = reason
        self._deadline = self._kill_at = self._memory_check_at = math.inf
        self.is_doomed = True
        os.kill(self.pid, signal.SIGKILL)

    def _terminate(self, reason: Reason, grace: float) -> None:
        """Send SIGTERM to the job alone, as a container runtime does; kill everything after ``grace``."""
        if self._reason == "exited":
            self._reason = reason
            os.kill(self.pid, signal.SIGTERM)
        self._kill_at = min(self._kill_at, time.monotonic() + grace)

    def has_ended(self, exit_status: int) -> None:
        """The job has ended; what it has left behind may not have."""
        self._exit_status = exit_status
        tree.kill_group(self.pid)
        self._give_up_at = time.monotonic() + KILL_SECONDS

    def add(self, used: resource.struct_rusage) -> None:
        """Count what a process of the job has used, and what those that it waited for have."""
        self._cpu_seconds += used.ru_utime + used.ru_stime
        # Kilobytes, but bytes on macOS.
        largest = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        self._peak_bytes = max(self._peak_bytes, largest)

    def end_the_rest(self, orphans: Collection[int]) -> bool:
        """Kill what the ended job has left behind; returns whether some of it may still run."""
        for orphan in orphans:
            tree.kill([orphan, *tree.resident_bytes(orphan)])
        return bool(orphans) and time.monotonic() < self._give_up_at

    def report(self) -> None:
        """Say how the job ended, to a server that may have ended as well."""
        code = os.WEXITSTATUS(self._exit_status) if os.WIFEXITED(self._exit_status) else None
        answer = {
            "code": code,
            "reason": self._reason,
            "cpu_seconds": self._cpu_seconds,
            "peak_bytes": self._peak_bytes,
        }
        with self.status:
            try:
                self.status.sendall(json.dumps(answer).encode())
            except OSError:
                return


class Keepers:
    """Watches all jobs of this process, which is the parent of each and waits for nothing else."""

    def __init__(self) -> None:
        self._watched: dict[int, Keeper] = {}
        # Jobs that have ended, while their orphans may not have.
        self._ending: list[Keeper] = []
        # Other children, which end by themselves.
        self._others: set[int] = set()
        self._wakeup, self._wake = wake_on_child_exit()
        tree.adopt_orphans()

    @property
    def descriptors(self) -> list[int]:
        """The open descriptors, which no job may inherit."""
        sockets = [each.status.fileno() for each in (*self._watched.values(), *self._ending)]
        return [self._wakeup, self._wake, *sockets]

    def watch(self, request: dict[str, Any], pid: int, status_fd: int) -> None:
        """Watch the job with this process id from now on."""
        self._watched[pid] = Keeper(request, pid, socket.socket(fileno=status_fd))

    def ignore(self, pid: int) -> None:
        """Let another child end by itself."""
        self._others.add(pid)

    def serve(self, control: socket.socket, accept: Callable[[], bool]) -> None:
        """Watch, and ``accept`` what comes on the control socket, until that returns False; then end every
        job."""
        accepts = True
        while accepts or self._watched or self._ending:
            ready = self._wait([control.fileno()] if accepts else [])
            if control.fileno() in ready and not accept():
                accepts = False
                for keeper in self._watched.values():
                    keeper.kill("stopped")
            for keeper in self._watched.values():
                if keeper.status.fileno() in ready:
                    keeper.hear()
                keeper.enforce()
            self._reap()
            self._report()

    def _wait(self, others: list[int]) -> set[int]:
        """Wait for something to do; returns the descriptors that are readable."""
        waiting = select.poll()
        # A job that is being killed hears nothing more, and its socket may have reached its end.
        hearing = [each.status.fileno() for each in self._watched.values() if not each.is_doomed]
        for fd in (self._wakeup, *others, *hearing):
            waiting.register(fd, select.POLLIN)
        ready = {fd for fd, _ in waiting.poll(self._milliseconds())}
        if self._wakeup in ready:
            os.read(self._wakeup, 512)
        return ready

    def _milliseconds(self) -> int | None:
        """How long there is nothing to do unless something happens; None: for ever."""
        now = time.monotonic()
        moments = [each.next_look for each in self._watched.values()]
        moments += [now + ORPHAN_CHECK_SECONDS] * len(self._ending)
        moment = min(moments, default=math.inf)
        return None if moment == math.inf else max(0, math.ceil((moment - now) * 1000))

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (child := os.wait4(-1, os.WNOHANG))[0]:
                self._note_end(*child)

    def _note_end(self, pid: int, exit_status: int, used: resource.struct_rusage) -> None:
        if keeper := self._watched.pop(pid, None):
            keeper.has_ended(exit_status)
            keeper.add(used)
            self._ending.append(keeper)
        elif pid in self._others:
            self._others.remove(pid)
        elif self._ending:
            # A running job adopts its own orphans, so the job of this one has ended.
            self._ending[-1].add(used)

    def _report(self) -> None:
        """Report the ended jobs of which nothing runs any more."""
        if not self._ending:
            return
        orphans = set(tree.children(os.getpid())) - self._watched.keys() - self._others
        remaining = [keeper for keeper in self._ending if keeper.end_the_rest(orphans)]
        for keeper in self._ending:
            if keeper not in remaining:
                keeper.report()
        self._ending = remaining


def wake_on_child_exit() -> tuple[int, int]:
    """Both ends of a pipe that becomes readable when a child ends."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reader, writer
