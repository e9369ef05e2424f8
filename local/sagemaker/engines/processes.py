"""Starts jobs warm: as forks of an interpreter that has already imported the scientific libraries.

A job behaves like ``python3 script.py`` in a container: it has its own session, working folder and
environment and inherits nothing from the server; its output comes line by line; everything it started ends
with it. One zygote for the server forks the jobs and watches them (package ``warm``). If the server dies,
even by SIGKILL, the zygote detects the end of its socket, and ends them and itself.

The memory limit applies to the resident memory of the job and its children, as in a container, and is checked
four times a second. An allocation limit (RLIMIT_AS) would count reserved memory, of which the libraries
reserve much, and would replace a kill by a MemoryError that a real job never sees.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.sagemaker.engines.interpreter import ACKNOWLEDGE, Interpreter, Python, environment
from local.sagemaker.engines.process import Exit, Process

__all__ = ["PRELOAD", "Command", "Exit", "Network", "Process", "Python", "WarmWorkers"]

PRELOAD = (
    "local.sagemaker.engines.bayesian",
    "local.sagemaker.engines.serving.__main__",
    "local.sagemaker.engines.xgboost_algorithm",
    "numpy",
    "onnx.checker",
    "onnx.helper",
    "onnx.numpy_helper",
    "onnxruntime",
    "pandas",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "scipy.optimize",
    "scipy.stats.qmc",
    "sklearn.gaussian_process",
    "sklearn.metrics",
    "sklearn.preprocessing",
    "xgboost.tracker",
)


# After its time of grace, the workers wait no longer for the end of a job, which may not have begun.
LAST_SECONDS = 1.0


@dataclass(frozen=True)
class Network:
    """The descriptors of a network in which jobs reach each other and nothing else; none on a machine without
    namespaces, where jobs have the machine's network."""

    descriptors: tuple[int, ...]

    def close(self) -> None:
        """Give it up; jobs that share it keep it."""
        for fd in self.descriptors:
            os.close(fd)


@dataclass(frozen=True)
class Command:
    """What a job runs.

    ``argv`` is ``("python3", "/abs/script.py", ...)`` or ``("-m", "package.module", ...)``; anything else is
    executed as a program from PATH, and does not start warm. ``env`` is the whole environment besides PATH,
    HOME and LANG, which it may also set. Imports of ``hidden_modules`` and their submodules fail with
    ModuleNotFoundError in the job itself, but not in other interpreters that it starts; the package of a
    ``-m`` module cannot be hidden.

    With a ``folder``, the job runs as in a container: ``<folder>/ml`` is its /opt/ml, it has its own /tmp and
    home, installs packages into the folder, and can write nowhere else; ``network`` says whether it has a
    network. ``argv``, ``env`` and ``cwd`` use the container's paths. A machine without namespaces translates
    them, and refuses /opt/ml in scripts.

    ``python`` is another interpreter for the job, which stays warm from its first job on.

    A ``confined`` job can write only to /tmp, and is not root; without namespaces, nothing confines it.
    A ``frugal`` one installs no packages, and writes next to nothing outside of /opt/ml, so it starts faster.
    ``shares`` is the only network of a job, together with others (``WarmWorkers.make_network``).
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    hidden_modules: frozenset[str] = frozenset()
    folder: Path | None = None
    network: bool = True
    python: Python | None = None
    confined: bool = False
    frugal: bool = False
    shares: Network | None = None


class WarmWorkers:
    """Starts jobs as forks of a warm interpreter: a copy of this one, or the one that a command names.

    ``preload`` are the modules that it imports; missing ones are skipped. ``grace`` is the time in seconds
    between SIGTERM and SIGKILL for a job that is stopped or times out: SageMaker's 120 s for a training job
    are too long on a laptop. ``threads`` is the number of OpenMP's and BLAS's threads in every job. Without
    ``namespaces``, jobs run as on a machine that has none.
    """

    def __init__(
        self,
        *,
        preload: Sequence[str] = PRELOAD,
        grace: float = 1.0,
        threads: int = 1,
        namespaces: bool = True,
    ) -> None:
        self._own = Python(Path(sys.executable), tuple(preload))
        self._namespaces = namespaces
        self._grace = grace
        self._threads = threads
        self._lock = threading.Lock()
        self._interpreters: dict[Python, Interpreter] = {}
        self._running: list[Process] = []
        self._closed = False

    def start(self) -> None:
        """Start the copy of this interpreter and return at once; it imports in the background. Idempotent."""
        with self._lock:
            self._interpreter(self._own).start()

    def spawn(
        self,
        command: Command,
        *,
        on_line: Callable[[str], None],
        timeout: float | None = None,
        memory_bytes: int | None = None,
        stdin: bool = False,
        connection: socket.socket | None = None,
    ) -> Process:
        """Start a job and return at once; the job waits for the imports.

        ``on_line`` gets each line of stdout and stderr, in order and without its newline, on a thread of the
        job alone. ``timeout`` in seconds begins when the job does. With ``stdin``, ``Process.send`` writes to
        the job's standard input; with a ``connection``, which this closes here, that is the socket; otherwise
        it is empty. Raises RuntimeError after ``close``.
        """
        python = command.python or self._own
        request = {
            "argv": command.argv,
            "env": environment(python) | dict(command.env),
            "cwd": str(command.cwd),
            "folder": command.folder and str(command.folder),
            "network": command.network,
            "confined": command.confined,
            "frugal": command.frugal,
            "hidden_modules": sorted(command.hidden_modules),
            "timeout": timeout,
            "memory_bytes": memory_bytes,
            "grace": self._grace,
            "stdin": stdin or connection is not None,
            "acknowledge": ACKNOWLEDGE,
        }
        shared = command.shares.descriptors if command.shares else ()
        with self._lock:
            process = self._send(
                self._interpreter(python), request, on_line, shared, stdin=stdin, connection=connection
            )
            self._running = [other for other in self._running if other.is_running()] + [process]
        return process

    def make_network(self) -> Network:
        """A network for jobs to share, which the caller closes. Raises RuntimeError after ``close``."""
        ours, theirs = socket.socketpair()
        body = json.dumps({"acknowledge": ACKNOWLEDGE}).encode()
        with ours:
            with theirs, self._lock:
                self._interpreter(self._own).send(struct.pack("!I", len(body)), [theirs.fileno()], body)
            received, descriptors, _, _ = socket.recv_fds(ours, 1, 2)
        if not received:
            raise OSError("the kernel refuses a network for the hosts of a job")
        return Network(tuple(descriptors))

    def close(self) -> None:
        """Stop every job and interpreter, and wait for their ends. Idempotent."""
        with self._lock:
            self._closed = True
            running, self._running = self._running, []
            interpreters, self._interpreters = self._interpreters, {}
        for process in running:
            process.stop()
        deadline = time.monotonic() + self._grace + LAST_SECONDS
        for process in running:
            process.join(max(0.0, deadline - time.monotonic()))
        for interpreter in interpreters.values():
            interpreter.close()
        for process in running:
            process.join()

    def _interpreter(self, python: Python) -> Interpreter:
        if self._closed:
            raise RuntimeError("the workers are closed")
        if python not in self._interpreters:
            self._interpreters[python] = Interpreter(
                python, threads=self._threads, namespaces=self._namespaces
            )
        return self._interpreters[python]

    def _send(
        self,
        interpreter: Interpreter,
        request: dict[str, Any],
        on_line: Callable[[str], None],
        shared: Sequence[int],
        *,
        stdin: bool,
        connection: socket.socket | None,
    ) -> Process:
        body = json.dumps(request).encode()
        status, their_status = socket.socketpair()
        output, their_output = os.pipe()
        their_stdin, stdin_fd = os.pipe() if stdin else (None, None)
        if connection is not None:
            their_stdin = connection.detach()
        theirs = [fd for fd in (their_status.detach(), their_output, their_stdin) if fd is not None]
        try:
            interpreter.send(struct.pack("!I", len(body)), [*theirs, *shared], body)
        except BaseException:
            status.close()
            for fd in (output, stdin_fd):
                if fd is not None:
                    os.close(fd)
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        return Process(status, output, stdin_fd, on_line, self._grace)
