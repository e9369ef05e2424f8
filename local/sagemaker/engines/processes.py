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
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.sagemaker.engines.process import Exit, Process

__all__ = ["PRELOAD", "Command", "Exit", "Process", "WarmWorkers"]

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
# macOS may lose a descriptor that its sender closes before it has arrived, so there a job's start is waited
# for.
ACKNOWLEDGE = sys.platform == "darwin"
CONTROL_BUFFER_BYTES = 1 << 20
_PACKAGE_ROOT = str(Path(__file__).resolve().parents[3])
_ZYGOTE = (
    "import json, sys; sys.path[:1] = [sys.argv[1]]; from local.sagemaker.engines.warm.zygote import main; "
    "del sys.path[0]; main(int(sys.argv[2]), *json.loads(sys.argv[3]))"
)
# OpenMP's and BLAS's threads do not survive a fork; with some hundred rows one is also the fastest.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


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
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    hidden_modules: frozenset[str] = frozenset()
    folder: Path | None = None
    network: bool = True


class WarmWorkers:
    """Starts jobs in forks of one warm interpreter.

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
        self._preload = tuple(preload)
        self._namespaces = namespaces
        self._grace = grace
        self._threads = threads
        self._lock = threading.Lock()
        self._zygote: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._running: list[Process] = []
        self._closed = False

    def start(self) -> None:
        """Start the interpreter and return at once; its imports go on in the background. Idempotent."""
        with self._lock:
            self._connect()

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
        request = {
            "argv": command.argv,
            "env": _environment() | dict(command.env),
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
            process = self._send(request, on_line, stdin=stdin)
            self._running = [other for other in self._running if other.is_running()] + [process]
        return process

    def close(self) -> None:
        """Stop every job and the interpreter, and wait for them. Idempotent."""
        with self._lock:
            self._closed = True
            running, self._running = self._running, []
            zygote, self._zygote = self._zygote, None
            control, self._control = self._control, None
        for process in running:
            process.stop()
        if control is not None and zygote is not None:
            # First, since it may still be importing. Jobs that run have a keeper and do not need it.
            control.close()
            zygote.kill()
            zygote.wait()
        for process in running:
            process.join()

    def _connect(self) -> socket.socket:
        if self._closed:
            raise RuntimeError("the workers are closed")
        if self._control is None:
            self._control, theirs = socket.socketpair()
            # Requests wait in it while the interpreter still imports.
            self._control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CONTROL_BUFFER_BYTES)
            environment = _environment() | dict.fromkeys(_THREAD_VARIABLES, str(self._threads))
            # Without it macOS aborts a fork of a process whose libraries have touched Objective-C.
            environment["OBJC_DISABLE_INITIALIZE_FORK_SAFETY"] = "YES"
            fd = theirs.fileno()
            settings = (self._preload, self._namespaces)
            self._zygote = subprocess.Popen(  # noqa: S603 - this interpreter, with code of our own
                [sys.executable, "-c", _ZYGOTE, _PACKAGE_ROOT, str(fd), json.dumps(settings)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(fd,),
                start_new_session=True,
                cwd="/",
            )
            theirs.close()
        return self._control

    def _send(self, request: dict[str, Any], on_line: Callable[[str], None], *, stdin: bool) -> Process:
        body = json.dumps(request).encode()
        status, their_status = socket.socketpair()
        output, their_output = os.pipe()
        their_stdin, stdin_fd = os.pipe() if stdin else (None, None)
        theirs = [fd for fd in (their_status.detach(), their_output, their_stdin) if fd is not None]
        try:
            self._deliver(struct.pack("!I", len(body)), theirs, body)
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

    def _deliver(self, header: bytes, fds: list[int], body: bytes) -> None:
        try:
            self._send_request(header, fds, body)
        except ConnectionError:  # the interpreter was killed: a new one takes over, once
            self._forget_zygote()
            self._send_request(header, fds, body)

    def _send_request(self, header: bytes, fds: list[int], body: bytes) -> None:
        control = self._connect()
        socket.send_fds(control, [header], fds)
        control.sendall(body)
        if ACKNOWLEDGE and not control.recv(1):
            raise ConnectionResetError("the warm interpreter has ended")

    def _forget_zygote(self) -> None:
        if self._zygote is not None and self._control is not None:
            self._control.close()
            self._zygote.kill()
            self._zygote.wait()
        self._zygote, self._control = None, None


def _environment() -> dict[str, str]:
    """What every job has, besides its own: ``python3`` is the interpreter that the server runs on."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {"PATH": path, "HOME": os.environ.get("HOME", "/"), "LANG": os.environ.get("LANG", "C.UTF-8")}
