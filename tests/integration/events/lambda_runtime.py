"""Runs a built function as `sam local invoke` does in its container: AWS's runtime emulator and Python client.

Linux only. The emulator's binary ships in the SAM CLI package.
"""

import json
import os
import platform
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from tests.conftest import eventually, free_port, read_line

_MACHINES = {"x86_64": "x86_64", "aarch64": "arm64"}
_NAME = f"samcli/local/rapid/aws-lambda-rie-{_MACHINES[platform.machine()]}"
WARM = Path(__file__).with_name("warm_runtime.py")
BINARY = Path(str(distribution("aws-sam-cli").locate_file(_NAME)))


class Build:
    """The result of `sam build`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._template = json.loads((folder / "template.json").read_text(encoding="utf-8"))

    def find_function(self, module: str) -> tuple[Path, str]:
        """Folder and handler of the function of this name in `functions/handlers/`, of which all share a package."""
        for resource in self._template["Resources"].values():
            properties = resource["Properties"]
            if resource["Type"] == "AWS::Serverless::Function" and properties["Handler"].startswith(
                "handlers."
            ):
                # The package lies beside the folder of which it was made.
                folder = (self.folder / str(properties["CodeUri"])).with_suffix("")
                if (folder / "handlers" / f"{module}.py").is_file():
                    return folder, f"handlers.{module}.handler"
        raise LookupError(module)

    @property
    def layers(self) -> list[Path]:
        """The Python folders of the layers."""
        return [path.resolve() for path in self.folder.glob("*/python")]


class Runtime:
    """A running function."""

    def __init__(self, port: int, log: Path) -> None:
        self._url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
        self._log = log

    def invoke(self, event: Any) -> Any:
        """The function's return value, or `{"errorType", "errorMessage", ...}` of its exception."""
        request = urllib.request.Request(self._url, json.dumps(event).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    @property
    def log(self) -> str:
        """The output of the function and the emulator."""
        return self._log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def interpreter(folder: Path) -> Iterator[Path]:
    """Start the interpreter of which runtimes are forks (warm_runtime.py); gives its socket."""
    path = folder / "socket"
    command = [sys.executable, str(WARM), "serve", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert read_line(process) == "ready\n"
        yield path
    finally:
        _stop(process)


@contextmanager
def run(
    built: Build, module: str, environment: Mapping[str, str], log: Path, interpreter: Path
) -> Iterator[Runtime]:
    """Start a built function and stop it at the end."""
    folder, handler = built.find_function(module)
    port, api_port = free_port(), free_port()
    command = [
        str(BINARY),
        *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
        *("--runtime-api-address", f"127.0.0.1:{api_port}"),
        *(sys.executable, "-I", "-S", str(WARM), "start", str(interpreter), handler),
    ]
    path = os.pathsep.join(map(str, [folder, *built.layers]))
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, "PYTHONPATH": path, "LAMBDA_TASK_ROOT": str(folder)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        eventually(lambda: _answers(port) or process.poll() is not None)
        yield Runtime(port, log)
    finally:
        _stop(process)


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def _stop(process: "subprocess.Popen[Any]") -> None:
    # The session of the interpreter contains the runtimes, that of an emulator what it started as its runtime.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait(timeout=60)
