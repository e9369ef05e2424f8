"""Forks of the warm interpreter that have also imported what functions bring along, and fork those functions.

Functions with the same package share these libraries' memory, and none of them imports them again.
"""

import importlib
import json
import os
import socket
import struct
import sys
from collections.abc import Collection
from pathlib import Path

from local.embedded.function_zygote import Request, ask, fork, serve

# The libraries, and the variables that each of them reads when it is imported. None starts a thread then.
LIBRARIES = {
    "aws_lambda_powertools": {"AWS_EXECUTION_ENV", "AWS_LAMBDA_INITIALIZATION_TYPE", "POWERTOOLS_DEBUG"},
    "jinja2": set[str](),
}
# A new version of the functions makes a new family. The others end, though not the functions they started.
MAX_FAMILIES = 3

Libraries = tuple[Path, ...]


class Families:
    """The families of one interpreter, by the libraries that they have imported."""

    def __init__(self) -> None:
        self._controls: dict[Libraries, socket.socket] = {}

    def fork(self, request: Request, streams: list[int]) -> int:
        """Start a function's process as a fork of the family that has its libraries, or else of this one."""
        libraries = brought(Path(request["cwd"]), request["env"])
        if not libraries:
            return fork(request, streams)
        if libraries not in self._controls:
            self._controls[libraries] = self._start(libraries)
            for oldest in list(self._controls)[:-MAX_FAMILIES]:
                self._controls.pop(oldest).close()
        try:
            pid = ask(self._controls[libraries], json.dumps(request).encode(), streams)
        except (OSError, struct.error):  # it was killed, or the import failed: the function will say why
            self._controls.pop(libraries).close()
            return fork(request, streams)
        for stream in streams:
            os.close(stream)
        return pid

    def _start(self, libraries: Libraries) -> socket.socket:
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            try:
                # Of this interpreter's sockets, it keeps its own.
                control = socket.socket(fileno=os.dup2(theirs.detach(), 3))
                os.closerange(4, os.sysconf("SC_OPEN_MAX"))
                _import(libraries)
                serve(control, fork)
            finally:
                os._exit(0)
        theirs.close()
        return ours


def brought(folder: Path, variables: Collection[str]) -> Libraries:
    """The libraries that a function shares with others by links, and that none of its variables sets up."""
    places = {folder / name: reads for name, reads in LIBRARIES.items() if reads.isdisjoint(variables)}
    return tuple(place.resolve() for place in places if place.is_symlink())


def _import(libraries: Libraries) -> None:
    os.environ.clear()
    for library in libraries:
        sys.path.insert(0, str(library.parent))
        importlib.import_module(library.name)
        del sys.path[0]
