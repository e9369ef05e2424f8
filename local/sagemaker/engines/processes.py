"""Job processes that start warm: forks of an interpreter which has already imported the scientific libraries.

A job is what ``python3 script.py`` in a container is: its own session, working folder and environment,
nothing inherited from the server; output line by line; everything it started ends with it. Three processes
stand behind it (package ``warm``): one zygote for the server, a keeper for each job, the job. If the server
dies, even by SIGKILL, they see the end of their sockets and end too.

Memory is limited by what the job and its children hold resident, looked at four times a second, as a
container's limit is: an allocation limit (RLIMIT_AS) would count memory that is only reserved, of which the
libraries reserve much, and would turn a kill into a MemoryError that a real job does not see.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.sagemaker.engines.interpreter import ACKNOWLEDGE, Interpreter, Python, environment
from local.sagemaker.engines.process import Exit, Process

__all__ = ["PRELOAD", "Command", "Exit", "Process", "Python", "WarmWorkers"]

PRELOAD = (
    "numpy",
    "pandas",
    "scipy.optimize",
    "scipy.stats.qmc",
    "sklearn.compose",
    "sklearn.gaussian_process",
    "sklearn.impute",
    "sklearn.metrics",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "xgboost",
)


@dataclass(frozen=True)
class Command:
    """What a job process runs.

    ``argv`` is ``("python3", "/abs/script.py", ...)`` or ``("-m", "package.module", ...)``; anything else is
    executed as a program, found in PATH, and is not warm. ``env`` is the whole environment besides PATH, HOME
    and LANG, which it may also set. Imports of ``hidden_modules`` and all below them fail with
    ModuleNotFoundError, in the job itself, not in further interpreters that it starts; the package that a
    ``-m`` module is in cannot be hidden from it.

    With a ``folder`` the job runs as in a container: ``<folder>/ml`` is its /opt/ml, it has a /tmp and a home
    of its own, what it installs stays in the folder, and it can write nowhere else; ``network`` says whether
    it has one. Paths in ``argv``, ``env`` and ``cwd`` are those in the container. A machine without
    namespaces translates them, and refuses /opt/ml in scripts.

    ``python`` is another interpreter to run it in, which stays warm from its first job on.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    hidden_modules: frozenset[str] = frozenset()
    folder: Path | None = None
    network: bool = True
    python: Python | None = None


class WarmWorkers:
    """Starts jobs in forks of a warm interpreter: this one's, or the one that a command names.

    ``preload`` are the modules it imports (one that is missing is skipped). ``grace`` is the time in seconds
    between SIGTERM and SIGKILL for a job that is stopped or out of time: SageMaker gives a training job 120
    s, which nobody wants to wait for at a desk. ``threads`` is what OpenMP and BLAS may use in every job.
    Without ``namespaces`` jobs run as on a machine that has none.
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
        """Start this one's and return at once; its imports go on in the background. Idempotent."""
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
    ) -> Process:
        """Start a job and return at once; until the imports are done the job waits for them.

        ``on_line`` gets each line of stdout and stderr, in the order they were written and without its
        newline, on a thread of this job alone. ``timeout`` in seconds counts from the moment the job runs.
        With ``stdin`` the job reads what ``Process.send`` writes, otherwise its standard input is empty.
        Raises RuntimeError after ``close``.
        """
        python = command.python or self._own
        request = {
            "argv": command.argv,
            "env": environment(python) | dict(command.env),
            "cwd": str(command.cwd),
            "folder": command.folder and str(command.folder),
            "network": command.network,
            "hidden_modules": sorted(command.hidden_modules),
            "timeout": timeout,
            "memory_bytes": memory_bytes,
            "grace": self._grace,
            "acknowledge": ACKNOWLEDGE,
        }
        with self._lock:
            process = self._send(self._interpreter(python), request, on_line, stdin=stdin)
            self._running = [other for other in self._running if other.is_running()] + [process]
        return process

    def close(self) -> None:
        """Stop every job and interpreter, and wait for them. Idempotent."""
        with self._lock:
            self._closed = True
            running, self._running = self._running, []
            interpreters, self._interpreters = self._interpreters, {}
        for process in running:
            process.stop()
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
        *,
        stdin: bool,
    ) -> Process:
        body = json.dumps(request).encode()
        status, their_status = socket.socketpair()
        output, their_output = os.pipe()
        their_stdin, stdin_fd = os.pipe() if stdin else (None, None)
        theirs = [fd for fd in (their_status.detach(), their_output, their_stdin) if fd is not None]
        try:
            interpreter.send(struct.pack("!I", len(body)), theirs, body)
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
