"""The command `mpg`, called as by a person or a script."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from local.cli.endpoint import Endpoint, endpoint_of
from local.cli.instance import read_running
from tests.builds import give_build

ROOT = Path(__file__).parents[2]
MPG = [sys.executable, "-m", "local.cli.main"]
# The same, but importing the SDK fails: what runs for hours, beside everything else, has no room for it.
MPG_WITHOUT_SDK = [
    sys.executable,
    "-c",
    "import sys; sys.modules['boto3'] = sys.modules['botocore'] = None\n"
    "from local.cli.main import main; main()",
]
TIMEOUT = 480.0


@dataclass(frozen=True)
class Place:
    """A separate place for an mpg's state and temporary files."""

    state: Path
    temporary: Path

    @classmethod
    def under(cls, folder: Path, *, built: bool = True) -> Self:
        """A new place; `built`: with the build of the application that all tests share."""
        place = cls(folder / "state", folder / "tmp")
        place.state.mkdir()
        place.temporary.mkdir()
        if built:
            give_build(place.state)
        return place

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "MPG_STATE_FOLDER": str(self.state), "TMPDIR": str(self.temporary)}

    @property
    def endpoint(self) -> Endpoint:
        """The embedded AWS of the `mpg up` that is ready."""
        note = read_running(self.state / "up.json")
        endpoint = endpoint_of(note) if note else None
        assert endpoint is not None
        return endpoint

    def start(self, *arguments: str, log: Path, mpg: Sequence[str] = MPG) -> "subprocess.Popen[bytes]":
        """Start mpg in its own process group, with its output in the log."""
        with log.open("wb") as output:
            return subprocess.Popen(
                [*mpg, *arguments],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    def call(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run mpg to its end."""
        return subprocess.run(
            [*MPG, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )

    def run_json(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """`mpg run ... --json`: the exit code and the object on the last line."""
        done = self.call("run", *arguments, "--json")
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return done.returncode, found

    def leftovers(self) -> dict[str, list[str]]:
        """Processes, files and builds that a finished mpg left behind; empty lists if there are none."""
        return {
            "processes": _processes_that_know(str(self.state.parent)),
            "temporary files": [path.name for path in self.temporary.iterdir()],
            "unfinished state": [
                path.name for path in self.state.rglob("*") if _unfinished(path, self.state)
            ],
        }


def _unfinished(path: Path, state: Path) -> bool:
    return path == state / "up.json" or (path.parent == state / "build" and path.name.startswith("."))


def _processes_that_know(text: str) -> list[str]:
    """Running processes with this text in their command line or environment, but not this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            known = command + (process / "environ").read_bytes()
        except OSError:
            continue  # It ended meanwhile, or is not ours.
        if text.encode() in known and process.name != str(os.getpid()):
            found.append(command.replace(b"\0", b" ").decode(errors="replace"))
    return found


def wait_for(log: Path, pattern: str, process: "subprocess.Popen[bytes]") -> "re.Match[str]":
    """The first match in a growing log; fails if the process ends without it or takes too long."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        text = log.read_text()
        if match := re.search(pattern, text):
            return match
        assert process.poll() is None, f"it ended with {process.returncode}:\n{text}"
        assert time.monotonic() < deadline, text
        time.sleep(0.02)


def listens(port: int) -> bool:
    """Whether a process listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
