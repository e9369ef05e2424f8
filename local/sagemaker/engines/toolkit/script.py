"""Runs the script, as a fork of this warm process instead of a new Python as in AWS's toolkit."""

from __future__ import annotations

import builtins
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, NoReturn

from local.sagemaker.engines.toolkit.code import is_package
from local.sagemaker.engines.toolkit.toolkits import Toolkit
from local.sagemaker.engines.warm import job

# If a line contains one of these, the toolkit takes it and the following lines for the script's error.
_ERRORS = tuple(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, Exception) and name.endswith("Error")
)
_LONGEST_OUTPUT = 20_000


def command_of(toolkit: Toolkit, code: Path, program: str, arguments: list[str]) -> list[str]:
    """The command that the toolkit runs in the code folder."""
    if toolkit.packages or is_package(code, program):
        return ["python3", "-m", program.removesuffix(".py"), *arguments]
    if program.endswith(".py"):
        return ["python3", program, *arguments]
    (code / program).chmod(0o777)
    return ["/bin/sh", "-c", shlex.join([f"./{program}", *arguments])]


def run(toolkit: Toolkit, command: list[str], code: Path, variables: Mapping[str, str]) -> tuple[int, str]:
    """Run a command in the code folder; returns its exit code and, if captured, the error that it printed."""
    if command[0] != "python3":
        return _run_program(command, code, variables, captures=toolkit.captures)
    if toolkit.captures and shlex.join(command) != " ".join(command):
        # As in the toolkit, the shell may split an argument into words, drop it, or interpret it.
        print("The image's toolkit starts this command through a shell, which interprets its arguments.")
        return _run_program(["/bin/sh", "-c", " ".join(command)], code, variables, captures=True)
    if not toolkit.captures and not toolkit.packages:
        command = [*command[:-1], command[-1].strip('"')]
    return _fork(command, code, variables, captures=toolkit.captures)


def _run_program(
    command: list[str], code: Path, variables: Mapping[str, str], *, captures: bool
) -> tuple[int, str]:
    sys.stdout.flush()
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if captures else {}
    with subprocess.Popen(command, cwd=code, env={**os.environ, **variables}, **streams) as process:  # type: ignore[call-overload]  # noqa: S603 - the job's own
        error = _pass_on(process.stdout) if captures else ""
        ended: int = process.wait()
    return (128 - ended if ended < 0 else ended), error


def _fork(command: list[str], code: Path, variables: Mapping[str, str], *, captures: bool) -> tuple[int, str]:
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _become_script(command, code, variables, writer if captures else None)
    os.close(writer)
    with open(reader, "rb") as output:  # noqa: PTH123 - a descriptor
        error = _pass_on(output) if captures else ""
    _, status = os.waitpid(pid, 0)
    ended = os.waitstatus_to_exitcode(status)
    return (128 - ended if ended < 0 else ended), error


def _become_script(
    command: list[str], code: Path, variables: Mapping[str, str], output: int | None
) -> NoReturn:
    try:
        if output is not None:
            os.dup2(output, 1)
            os.dup2(output, 2)
        os.chdir(code)
        os.environ.update(variables)
        job.end(job.run_command(command, ["local"]))
    finally:
        os._exit(1)


def _pass_on(output: IO[bytes] | None) -> str:
    """Print a script's output; returns the error that the toolkit would find in it."""
    error: dict[str, None] = {}
    for line in output or ():
        text = line.decode(errors="replace").rstrip("\r\n")
        print(text, flush=True)
        if (error or _names_an_error(text)) and sum(map(len, error)) < _LONGEST_OUTPUT:
            error.setdefault(text.strip(" :"))
    return "\n ".join(error).strip()


def _names_an_error(text: str, names: Iterable[str] = _ERRORS) -> bool:
    return any(name in text for name in names)
