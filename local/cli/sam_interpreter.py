"""The interpreter of ``sam_cli``: imports the SAM CLI once, then forks a process for each of its commands.

It must stay single-threaded, since a fork takes only the calling thread along. Its standard input is a Unix
stream socket: a request is a line of JSON (`arguments` and `packs`, or `call`, with `environment` and `log`),
the answer a line with the exit code. It ends when the socket's other end is closed, thus also when its parent
is killed.
"""

import importlib
import json
import os
import socket
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from deploy.sam import make_fast

# The CLI imports a command's modules when the command runs, which would be in the fork.
PRELOAD = (
    "samcli.cli.main",
    "samcli.commands.build.command",
    "samcli.commands.build.build_context",
    "samcli.commands.deploy.command",
    "samcli.commands.deploy.deploy_context",
    "samcli.commands.deploy.guided_context",
    "samcli.commands.package.package_context",
    "deploy.packages",
)
# The services that a deployment calls.
SERVICES = ("s3", "cloudformation")


def main() -> None:
    make_fast()
    for name in PRELOAD:
        importlib.import_module(name)
    from local.embedded.function_zygote import read_models

    read_models(SERVICES)
    with socket.socket(fileno=os.dup(0)) as control, control.makefile("r", encoding="utf-8") as requests:
        for request in requests:
            control.sendall(f"{_run(json.loads(request))}\n".encode())
    # At its end, Python would take a quarter of a second to look through all that was imported.
    os._exit(0)


def _run(request: Mapping[str, Any]) -> int:
    """Run a command or a call to its end; returns its exit code."""
    pid = os.fork()
    if pid == 0:
        _become(request)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _become(request: Mapping[str, Any]) -> NoReturn:
    """Be the call, or what `sam ...` would have been and then pack the template that was built, and end with
    the process."""
    code = 1
    try:
        _connect(request["log"])
        os.environ.clear()
        os.environ.update(request["environment"])
        code = _call(**request["call"]) if "call" in request else _command(**request)
    except BaseException:
        code = code or 1
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _connect(log: str) -> None:
    """Nobody answers questions; the output goes to the log."""
    with Path(os.devnull).open() as nothing, Path(log).open("ab") as output:
        for target, stream in enumerate((nothing, output, output)):
            os.dup2(stream.fileno(), target)


def _call(service: str, operation: str, arguments: Mapping[str, Any], answer: str) -> int:
    import boto3

    client: Any = boto3.client
    found = getattr(client(service), operation)(**arguments)
    Path(answer).write_text(json.dumps(found, default=str), encoding="utf-8")
    return 0


def _command(arguments: list[str], packs: str | None, **_: Any) -> int:
    code = _sam(arguments)
    if code == 0 and packs:
        from deploy.packages import pack

        pack(Path(packs))
    return code


def _sam(arguments: list[str]) -> int:
    from samcli.cli.main import cli

    sys.argv = ["sam", *arguments]
    try:
        cli(arguments)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


if __name__ == "__main__":
    main()
