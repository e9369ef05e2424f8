"""One warm interpreter, as the server sees it: a process that has imported libraries and forks jobs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# macOS may lose a descriptor that its sender closes before it arrives, so the sender waits there until the
# job starts.
ACKNOWLEDGE = sys.platform == "darwin"
CONTROL_BUFFER_BYTES = 1 << 20
_PACKAGE_ROOT = str(Path(__file__).resolve().parents[3])
_ZYGOTE = (
    "import json, sys; sys.path[:1] = [sys.argv[1]]; from local.sagemaker.engines.warm.zygote import main; "
    "del sys.path[0]; main(int(sys.argv[2]), *json.loads(sys.argv[3]))"
)
# OpenMP's and BLAS's threads do not survive a fork; for some hundred rows, one thread is also the fastest.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True)
class Python:
    """An interpreter and the modules that it imports before its first job; missing modules are skipped."""

    executable: Path
    preload: tuple[str, ...]


class Interpreter:
    """Starts when first used, and again if it was killed. Its owner calls one method at a time."""

    def __init__(self, python: Python, *, threads: int, namespaces: bool) -> None:
        self._python = python
        self._threads = threads
        self._namespaces = namespaces
        self.process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self) -> socket.socket:
        """Start it and return at once; the imports continue in the background. Idempotent."""
        if self._control is None:
            self._control, theirs = socket.socketpair()
            # Requests wait here while the interpreter imports.
            self._control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CONTROL_BUFFER_BYTES)
            variables = environment(self._python) | dict.fromkeys(_THREAD_VARIABLES, str(self._threads))
            # Without it, macOS aborts a fork of a process whose libraries have used Objective-C.
            variables["OBJC_DISABLE_INITIALIZE_FORK_SAFETY"] = "YES"
            # pyarrow's default allocator has a thread, which does not survive a fork.
            variables["JE_ARROW_MALLOC_CONF"] = "background_thread:false"
            # A library that jobs bring starts a thread of its own otherwise.
            variables["ORT_DISABLE_TELEMETRY"] = "1"
            fd = theirs.fileno()
            settings = json.dumps((self._python.preload, self._namespaces))
            self.process = subprocess.Popen(  # noqa: S603 - an image's interpreter, with code of our own
                [str(self._python.executable), "-c", _ZYGOTE, _PACKAGE_ROOT, str(fd), settings],
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(fd,),
                start_new_session=True,
                cwd="/",
            )
            theirs.close()
        return self._control

    def send(self, header: bytes, fds: list[int], body: bytes) -> None:
        """Send the request for a job, with its file descriptors."""
        try:
            self._send(header, fds, body)
        except ConnectionError:  # the interpreter was killed: try again once, with a new one
            self.close()
            self._send(header, fds, body)

    def close(self) -> None:
        """End it, and with it the jobs that still run."""
        if self._control is not None and self.process is not None:
            self._control.close()
            self.process.kill()
            self.process.wait()
        self.process, self._control = None, None

    def _send(self, header: bytes, fds: list[int], body: bytes) -> None:
        control = self.start()
        socket.send_fds(control, [header], fds)
        control.sendall(body)
        if ACKNOWLEDGE and not control.recv(1):
            raise ConnectionResetError("the warm interpreter has ended")


def environment(python: Python) -> dict[str, str]:
    """The variables of every job: ``python3`` is the interpreter of which it is a fork."""
    path = os.pathsep.join([str(python.executable.parent), os.environ.get("PATH", os.defpath)])
    return {"PATH": path, "HOME": os.environ.get("HOME", "/"), "LANG": os.environ.get("LANG", "C.UTF-8")}
