"""The processes and files of a command, none of which outlives its session."""

import atexit
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.problems import Trouble
from local.cli import deploy
from local.cli.build import Build, fingerprint
from local.cli.children import Children
from local.cli.endpoint import STACK, Endpoint
from local.cli.instance import AWS_FOLDER, WORK_PREFIX
from local.cli.interrupts import Interrupts
from local.cli.project import CACHE, ROOT
from local.cli.sam_cli import SamCli
from local.embedded.access import read_secret

USUAL_PORT = 4566
START_SECONDS = 60.0
DEPLOY_SECONDS = 300.0
# Between finding a free port and binding it, another program can take it.
PORT_ATTEMPTS = 3
# For programs that must find no AWS at all.
NOWHERE = Endpoint(0, "")


class Session:
    """The processes and files of one command."""

    def __init__(self, interrupts: Interrupts) -> None:
        self.interrupts = interrupts
        self.children = Children(interrupts)
        with interrupts.held():
            self.work = Path(tempfile.mkdtemp(prefix=WORK_PREFIX))
            self._unfinished: list[Build] = []
            self._aws: subprocess.Popen[bytes] | None = None
            atexit.register(self.close)

    def close(self) -> None:
        """End every process and remove every temporary file. Can be called again."""
        self.children.stop_all()
        for build in self._unfinished:
            build.discard()
        shutil.rmtree(self.work, ignore_errors=True)
        atexit.unregister(self.close)

    def start_aws(self, port: int | None) -> Endpoint:
        """Start the embedded AWS and build the application at the same time; returns when both are done.

        Without a port it uses the default one or, if that is taken, any free one. Raises Trouble.
        """
        if port and free_port(port) != port:
            raise Trouble(
                f"Port {port} is in use", "Choose another with --port, or leave it out for any free one."
            )
        self._start_build()
        endpoint = self._start_embedded(port)
        self._finish_build()
        self._ask(endpoint, "s3", "create_bucket", Bucket=deploy.artifact_bucket())
        return endpoint

    def build(self) -> Build:
        """Only build the application, unless it has been built before. Raises Trouble."""
        self._start_build()
        self._finish_build()
        return self._build

    def deploy(self, endpoint: Endpoint, clients: Sequence[str] = (), **parameters: str) -> dict[str, str]:
        """Deploy the build with the SAM CLI, and create the clients of these services in the meantime.
        Returns the stack's outputs. Raises Trouble.

        `parameters` override those of samconfig.toml.
        """
        arguments = deploy.arguments(self._build.template, parameters)
        self._sam.start(arguments, self._environment(endpoint), self.work / "sam-deploy.log")
        for service in clients:
            endpoint.client(service)
        self._finish("deploy")
        stacks = self._ask(endpoint, "cloudformation", "describe_stacks", StackName=STACK)
        self._sam.close()
        return deploy.outputs_of(stacks["Stacks"][0])

    def _ask(self, endpoint: Endpoint, service: str, operation: str, **arguments: str) -> Any:
        log, answer = self.work / f"sam-{operation}.log", self.work / f"{operation}.json"
        self._sam.call(service, operation, arguments, self._environment(endpoint), log, answer)
        self._finish(operation)
        return json.loads(_text(answer))

    def aws_is_running(self) -> bool:
        """Whether the embedded AWS that this session started is alive."""
        return self._aws is not None and self._aws.poll() is None

    def aws_log(self) -> str:
        """The output of the embedded AWS."""
        return _text(self.work / "aws.log")

    def _environment(self, endpoint: Endpoint) -> dict[str, str]:
        tools = str(Path(sys.executable).parent)
        environment = endpoint.environment()
        path = f"{tools}:{environment.get('PATH', '')}"
        # The tools' temporary files are removed when the session closes.
        temporary = self.work / "tmp"
        temporary.mkdir(exist_ok=True)
        return {**environment, **deploy.quiet_sam(self.work / "sam"), "PATH": path, "TMPDIR": str(temporary)}

    def _start_build(self) -> None:
        build = self._build = Build(fingerprint())
        # It is needed for the deployment, too.
        self._sam = SamCli(self.children, self._environment(NOWHERE), self.work / "sam.log")
        if build.is_there:
            return
        with self.interrupts.held():
            self._unfinished.append(build)
            environment = {**self._environment(NOWHERE), **build.variables}
            self._sam.start(build.arguments(), environment, self.work / "sam-build.log", packs=build.unpacked)

    def _finish_build(self) -> None:
        for build in self._unfinished:
            self._finish("build")
            build.finish()

    def _start_embedded(self, wanted: int | None) -> Endpoint:
        for attempt in range(PORT_ATTEMPTS):
            port = wanted or free_port(USUAL_PORT if attempt == 0 else 0)
            self._aws = self.children.start(
                _embedded_command(port, self.work / AWS_FOLDER),
                env=self._environment(NOWHERE),
                cwd=ROOT,
                log=self.work / "aws.log",
            )
            if self._becomes_ready(self._aws):
                return Endpoint(port, read_secret(self.work / AWS_FOLDER))
            if wanted or "in use" not in self.aws_log():
                break
        raise Trouble("The embedded AWS did not start", "Its own output is above.", self.aws_log())

    def _becomes_ready(self, aws: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and aws.poll() is None:
            if any(line.startswith("ready ") for line in self.aws_log().splitlines()):
                return True
            time.sleep(0.02)
        return False

    def _finish(self, command: str) -> None:
        code = self._sam.wait(DEPLOY_SECONDS)
        if code != 0:
            ending = (
                f"did not end within {DEPLOY_SECONDS:.0f} s"
                if code is None
                else f"failed with exit code {code}"
            )
            output = _text(self.work / "sam.log") + _text(self.work / f"sam-{command}.log")
            raise Trouble(f"sam {command} {ending}", "Fix what it reports above and try again.", output)


@contextmanager
def session(interrupts: Interrupts) -> Iterator[Session]:
    """A session that is closed at the end, however it ends."""
    made = Session(interrupts)
    try:
        yield made
    finally:
        interrupts.ignore()
        made.close()


def free_port(preferred: int) -> int:
    """The preferred port of 127.0.0.1 if nothing listens there (0: any), otherwise any free one."""
    with socket.socket() as probe:
        # As servers do: a port that a server has just left is free even if old connections linger.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _embedded_command(port: int, folder: Path) -> list[str]:
    folders = ["--folder", str(folder), "--cache", str(CACHE)]
    return [sys.executable, "-m", "local.cli.child", "local.embedded", "--port", str(port), *folders]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
