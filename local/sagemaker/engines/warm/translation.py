"""Replaces namespaces on a machine without them: translates the request's paths to the job's folder.

A script that names /opt/ml itself is refused, so that it does not write there on this machine. Only Python's
actions in the job's own process can be refused, and commands with the path in an argument.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ML = "/opt/ml"
# A path may be a whole argument, follow `--name=`, or be one of several (PYTHONPATH).
_PATH = re.compile(r"(?:(?<=[=:,])|^)/opt/ml(?=[/:,]|$)")
_NAMED = re.compile(r"(?<![\w./-])/opt/ml(?![\w.-])")
_EVENTS = ("open", "os.", "shutil.", "subprocess.")


def translated(request: dict[str, Any]) -> dict[str, Any]:
    """The request with the job's folder instead of /opt/ml, and with its own folders for pip and others."""
    folder = Path(request["folder"])
    for name in ("packages", "tmp", "home"):
        (folder / name).mkdir(exist_ok=True)
    env = {name: here(value, folder) for name, value in request["env"].items()}
    packages = str(folder / "packages")
    own = {"TMPDIR": str(folder / "tmp"), "HOME": str(folder / "home"), "PIP_TARGET": packages}
    path = os.pathsep.join([packages, *filter(None, [env.get("PYTHONPATH")])])
    return request | {
        "argv": [here(part, folder) for part in request["argv"]],
        "cwd": here(request["cwd"], folder),
        "env": env | own | {"PYTHONPATH": path},
    }


def here(text: str, folder: Path) -> str:
    """An argument or variable with the job's folder instead of /opt/ml."""
    return _PATH.sub(lambda _: f"{folder}/ml", text)


def refuse_literal_paths() -> None:
    """From now on, raise PermissionError when this process uses /opt/ml."""
    sys.addaudithook(_look)


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(_EVENTS) and any(_NAMED.search(text) for text in _texts(arguments)):
        raise PermissionError(
            f"this machine gives jobs no {ML} of their own (it has no user namespaces): "
            "take the path from an argument or a variable of the request"
        )


def _texts(values: Any) -> Iterator[str]:
    """The texts among the arguments of an audit event, and those in a list, such as a command's."""
    for value in values:
        if isinstance(value, str | bytes | os.PathLike):
            yield os.fsdecode(value)
        elif isinstance(value, list | tuple):
            yield from _texts(value)
