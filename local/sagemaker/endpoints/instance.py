"""One instance of a variant: a container that serves, and is started again when it ends."""

from __future__ import annotations

import logging
import secrets
import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from local.sagemaker.container import Container
from local.sagemaker.endpoints.connection import Connection
from local.sagemaker.endpoints.hosted import Hosted
from local.sagemaker.engines.processes import Command, Process
from local.sagemaker.errors import JobFailed
from local.sagemaker.jobs import Backend, python_of
from local.sagemaker.logs import Stream

_log = logging.getLogger(__name__)

# Seconds before a container that ended is started again; each time in a row doubles them.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 30.0


class Instance:
    """Offers the connection of its container whenever that is healthy. Its thread watches the container."""

    def __init__(
        self, backend: Backend, hosted: Hosted, folder: Path, offer: Callable[[Connection], None]
    ) -> None:
        self._backend = backend
        self._hosted = hosted
        self._folder = folder
        self._offer = offer
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._process: Process | None = None
        # That of a healthy container.
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        # Why the first container did not get healthy; empty if it did.
        self.problem = ""
        host = secrets.token_hex(16) if hosted.serverless else f"i-{secrets.token_hex(9)[:17]}"
        self._stream = Stream(
            hosted.role_arn, f"/aws/sagemaker/Endpoints/{hosted.endpoint}", f"{hosted.name}/{host}"
        )
        self._thread = threading.Thread(target=self._live, name=f"endpoint-{hosted.endpoint}", daemon=True)
        self._thread.start()

    def wait_until_healthy(self) -> str:
        """Block until the first container is healthy, or is not; the problem, or an empty text."""
        self._started.wait()
        return self.problem

    def log(self, line: str) -> None:
        """Write a line to the instance's log stream."""
        self._backend.logs.write(self._stream, line)

    def say(self, line: str) -> None:
        """Tell a person something that AWS would not."""
        self.log(line)
        self._backend.notes.add(line)

    def stop(self) -> None:
        """End the container for good, after the request that it has; returns at once. Idempotent."""
        self._stopping.set()
        with self._lock:
            if self._connection is not None:
                self._connection.retire()
            elif self._process is not None:
                self._process.stop()

    def join(self) -> None:
        """Block until nothing of it is left."""
        self._thread.join()

    def _live(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                healthy = self._run_once()
            except JobFailed as failed:
                healthy, self.problem = False, str(failed)
            except Exception as error:
                _log.exception("endpoint %s", self._hosted.endpoint)
                healthy, self.problem = False, f"{type(error).__name__}: {error}"
            if not self._started.is_set():
                self.problem = self.problem or _no_ping(self._hosted.name)
                self._started.set()
                return
            pause = _FIRST_PAUSE if healthy else min(2 * pause, _LONGEST_PAUSE)
            if not self._stopping.is_set():
                self.log(f"The container ended; it starts again in {pause:.1f} seconds.")
            self._stopping.wait(pause)
        self._started.set()

    def _run_once(self) -> bool:
        """Run one container to its end; whether it was healthy."""
        container = self._fill(self._folder / secrets.token_hex(4))
        try:
            ours, theirs = socket.socketpair()
            connection = Connection(ours)
            process = self._spawn(container, theirs)
            connection.on_close = process.stop
            try:
                healthy = connection.wait_until_healthy(self._hosted.startup_seconds)
                self._begin(connection) if healthy else process.stop()
                if process.wait().reason == "out_of_memory":
                    self.log("The container used more memory than it has, and was killed.")
            finally:
                self._connection = None
                connection.close()
            return healthy
        finally:
            container.remove()

    def _begin(self, connection: Connection) -> None:
        with self._lock:
            self._connection = connection
            if self._stopping.is_set():
                connection.close()
        self._started.set()
        self._offer(connection)

    def _fill(self, folder: Path) -> Container:
        container = Container(folder)
        if self._hosted.model is not None:
            container.unpack_model(self._hosted.model.read_bytes())
        if self._hosted.script is not None:
            shutil.copyfile(self._hosted.script, container.folder / "sourcedir.tar.gz")
        return container

    def _spawn(self, container: Container, connection: socket.socket) -> Process:
        hosted = self._hosted
        python = python_of(hosted.image, self.say, self.log, lambda: None)
        own = {} if hosted.isolated else self._backend.clients.environment(hosted.role_arn)
        script = {"SAGEMAKER_SUBMIT_DIRECTORY": str(container.folder / "sourcedir.tar.gz")}
        option, module, *server = hosted.image.server or ()
        network = "isolated" if hosted.isolated else "connected"
        kind = "serverless" if hosted.serverless else "instance"
        command = Command(
            argv=(option, f"{module}.endpoint", *server, "/opt/ml", network, kind),
            env={
                "HOME": "/root",
                **own,
                **hosted.image.variables,
                **hosted.environment,
                **(script if hosted.script else {}),
            },
            cwd=Path("/opt/ml"),
            hidden_modules=hosted.image.hidden_modules,
            folder=container.folder,
            network=not hosted.isolated,
            python=python,
            confined=bool(hosted.serverless),
        )
        process = self._backend.workers.spawn(
            command,
            on_line=lambda line: self.log(container.there(line)),
            memory_bytes=hosted.memory_bytes,
            connection=connection,
        )
        with self._lock:
            self._process = process
            if self._stopping.is_set():
                process.stop()
        return process


def _no_ping(variant: str) -> str:
    return (
        f"The primary container for production variant {variant} did not pass the ping health check. "
        "Please check CloudWatch logs for this endpoint."
    )
