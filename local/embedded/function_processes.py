"""Processes of functions that start warm: forks of an interpreter which has already imported the SDK.

That import is most of a function's cold start. Linux only, which can watch a process that is nobody's child.
"""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local.embedded.function_zygote import ask

# Where it is false, functions start as the emulator starts them.
SUPPORTED = hasattr(os, "pidfd_open")
_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])
_ZYGOTE = (
    "import sys; sys.path[:1] = [sys.argv[1]]; from local.embedded.function_zygote import main; "
    "del sys.path[0]; main(int(sys.argv[2]))"
)


class FunctionProcess:
    """A function's process, with as much of `subprocess.Popen` as the emulator uses."""

    def __init__(self, pid: int, streams: Sequence[int]) -> None:
        self.pid = pid
        self.stdin = os.fdopen(streams[0], "w", encoding="utf-8", buffering=1)
        self.stdout = os.fdopen(streams[1], encoding="utf-8")
        self.stderr = os.fdopen(streams[2], encoding="utf-8")
        try:
            self._watched: int | None = os.pidfd_open(pid)
        except ProcessLookupError:
            self._watched = None

    def poll(self) -> int | None:
        """0 once it has ended, however it did: only its parent could know."""
        return 0 if self._ends_within(0.0) else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        if not self._ends_within(timeout):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        return 0

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self._watched is not None:
            signal.pidfd_send_signal(self._watched, number)

    def _ends_within(self, seconds: float | None) -> bool:
        if self._watched is not None and select.select([self._watched], [], [], seconds)[0]:
            os.close(self._watched)
            self._watched = None
        return self._watched is None


class FunctionProcesses:
    """Starts processes of functions in forks of one interpreter, which starts when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._zygote: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Let the interpreter start and import in the background, as a function will soon be called."""
        with self._lock:
            self._connect()

    def start(self, script: str, cwd: str, env: Mapping[str, str]) -> FunctionProcess:
        """Run a Python script, as `python script` would, with pipes for its three streams."""
        (their_in, our_in), (our_out, their_out), (our_err, their_err) = (os.pipe() for _ in range(3))
        theirs = (their_in, their_out, their_err)
        body = json.dumps({"script": script, "cwd": cwd, "env": dict(env)}).encode()
        try:
            pid = self._fork(body, theirs)
        finally:
            for stream in theirs:
                os.close(stream)
        return FunctionProcess(pid, (our_in, our_out, our_err))

    def _fork(self, body: bytes, streams: Sequence[int]) -> int:
        with self._lock:
            try:
                return ask(self._connect(), body, streams)
            except (ConnectionError, struct.error):  # the interpreter was killed: a new one takes over, once
                self._control = None
                return ask(self._connect(), body, streams)

    def _connect(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair()
            fd = theirs.fileno()
            self._zygote = subprocess.Popen(  # noqa: S603 - this interpreter, with code of our own
                [sys.executable, "-c", _ZYGOTE, _PACKAGE_ROOT, str(fd)],
                stdin=subprocess.DEVNULL,
                pass_fds=(fd,),
                cwd="/",
            )
            theirs.close()
        return self._control


class WarmSubprocess:
    """Stands in for the module `subprocess` where functions are started: Python's start warm."""

    def __init__(self, functions: FunctionProcesses) -> None:
        self._functions = functions

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, command: Sequence[str], *, cwd: str, env: Mapping[str, str], **settings: Any) -> Any:  # noqa: N802
        if command[0] == sys.executable and len(command) == 2:
            return self._functions.start(command[1], cwd, env)
        return subprocess.Popen(command, cwd=cwd, env=env, **settings)  # noqa: S603 - the emulator's own
