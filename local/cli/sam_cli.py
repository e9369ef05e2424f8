"""The SAM CLI in an interpreter of its own, which imports it while other things start.

The imports take longer than most of its commands; a build and the deployment after it share them. As the SDK
is among them, that interpreter also makes the calls to AWS that `mpg up` needs for its start: the SDK would
take 30 MB of this one for as long as it runs.
"""

import json
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local.cli.children import Children
from local.cli.project import ROOT


class SamCli:
    """Runs one command of the SAM CLI after another."""

    def __init__(self, children: Children, environment: Mapping[str, str], log: Path) -> None:
        """Start importing; `log` is for what the interpreter itself may say."""
        self._control, theirs = socket.socketpair()
        with theirs:
            self._interpreter = children.start(
                [sys.executable, "-m", "local.cli.sam_interpreter"],
                # Without it, macOS aborts a fork of a process whose libraries have used Objective-C.
                env={**environment, "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES"},
                cwd=ROOT,
                log=log,
                stdin=theirs,
            )

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], log: Path, packs: Path | None = None
    ) -> None:
        """Start `sam` with these arguments as soon as all is imported, with its output in `log`.

        `packs` is a template that the command builds and that is packed afterwards.
        """
        request = {
            "arguments": list(arguments),
            "packs": str(packs) if packs else None,
            "environment": dict(environment),
            "log": str(log),
        }
        self._send(request)

    def call(
        self,
        service: str,
        operation: str,
        arguments: Mapping[str, Any],
        environment: Mapping[str, str],
        log: Path,
        answer: Path,
    ) -> None:
        """Start to call an operation of AWS, by boto3's name for it, with the answer as JSON in a file."""
        call = {
            "service": service,
            "operation": operation,
            "arguments": dict(arguments),
            "answer": str(answer),
        }
        self._send({"call": call, "environment": dict(environment), "log": str(log)})

    def _send(self, request: Mapping[str, Any]) -> None:
        self._control.sendall(json.dumps(request).encode() + b"\n")

    def wait(self, seconds: float) -> int | None:
        """The exit code of what was started (0 for a call with an answer), None after so many seconds without
        its end."""
        self._control.settimeout(seconds)
        try:
            answer = self._control.recv(16)
        except TimeoutError:
            return None
        except ConnectionError:  # it ended before it read the request
            answer = b""
        return int(answer) if answer else self._interpreter.wait()

    def close(self) -> None:
        """Let the interpreter end, and wait for that."""
        self._control.close()
        self._interpreter.wait()
