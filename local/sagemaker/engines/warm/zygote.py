"""The warm interpreter: imports the libraries once, then forks the requested jobs, and watches them.

It must stay single-threaded, because a fork copies only the calling thread, and the locks of the others would
stay held forever. It therefore computes nothing, and starts with one thread for OpenMP and BLAS. Their pools
cannot survive a fork, and read their variables when loaded, so a job's own ``OMP_NUM_THREADS`` comes too
late.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import socket
import struct
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from local.sagemaker.engines.warm import adoption, code_pages, hiding, job, namespace
from local.sagemaker.engines.warm.keeper import Keepers

HEADER = struct.Struct("!I")
# Status, output, standard input, and the namespaces of a network.
MAX_FDS = 5


def main(control_fd: int, preload: list[str], namespaces: bool) -> None:
    """Serve until the other end of ``control_fd`` (a Unix stream socket) is closed.

    A request is a 4-byte length, with the job's file descriptors attached to it, and that many bytes of JSON.
    One without a command asks for a network, on the one socket that comes with it.
    """
    namespaces = namespaces and has_namespaces()
    with socket.socket(fileno=control_fd) as control:
        warm_up(preload)
        keepers = Keepers()
        keepers.serve(control, lambda: accept(control, keepers, namespaces=namespaces))


def has_namespaces() -> bool:
    """Whether jobs can have namespaces; prints the reason once if not."""
    if reason := namespace.why_not():
        print(
            f"Jobs have no /opt/ml of their own on this machine ({reason}): paths below it work in a job's "
            "arguments and variables and are refused in its script; network isolation is not enforced. "
            "Ubuntu allows it after: sysctl kernel.apparmor_restrict_unprivileged_userns=0",
            file=sys.stderr,
        )
    return not reason


def warm_up(preload: list[str]) -> None:
    """Import the available modules; the job reports a missing one when it imports it."""
    # Nothing that is imported is garbage.
    gc.disable()
    for name in preload:
        brought = hiding.top_of(name) in adoption.BROUGHT
        try:
            with without_endings() if brought else contextlib.nullcontext():
                importlib.import_module(name)
        except ImportError as error:
            print(f"warm interpreter: {error}", file=sys.stderr)
    adoption.remember()
    hiding.remember()
    # A collection in a fork would write to every object's header and thereby copy the shared memory.
    gc.collect()
    gc.freeze()
    gc.enable()
    code_pages.unmap()


@contextlib.contextmanager
def without_endings() -> Iterator[None]:
    """Have imported libraries register nothing for the end of a process: ONNX looks through all that it has
    loaded, in every job, most of which never see it."""
    register = atexit.register
    atexit.register = lambda function, *_, **__: function  # type: ignore[assignment]
    try:
        yield
    finally:
        atexit.register = register


def accept(control: socket.socket, keepers: Keepers, *, namespaces: bool) -> bool:
    """Do what is requested next; returns False if nothing will be any more."""
    if (received := receive(control)) is None:
        return False
    request, fds = received
    try:
        fork(control, keepers, request | {"namespaces": namespaces}, fds)
    except OSError:  # no memory or process ids: this job ends here, while the others go on
        traceback.print_exc()
    for fd in fds:
        os.close(fd)
    if request["acknowledge"]:
        control.sendall(b"!")
    return True


def receive(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    try:
        header, fds, _, _ = socket.recv_fds(control, HEADER.size, MAX_FDS, socket.MSG_WAITALL)
        if len(header) < HEADER.size:
            return None
        missing = HEADER.unpack(header)[0]
        body = bytearray()
        while missing > len(body):
            part = control.recv(missing - len(body))
            if not part:
                return None
            body += part
    except ConnectionError:  # the server has ended in the middle of it
        return None
    return json.loads(body), fds


def send_network(request: dict[str, Any], fd: int) -> None:
    """Make a network and send its descriptors; none if jobs have no namespaces."""
    with socket.socket(fileno=fd) as connection:
        socket.send_fds(connection, [b"!"], namespace.make_network() if request["namespaces"] else [])


def fork(control: socket.socket, keepers: Keepers, request: dict[str, Any], fds: list[int]) -> None:
    """Fork the job, or what makes a network. The keeper takes the status socket from the descriptors."""
    if "argv" not in request:
        if (pid := os.fork()) == 0:
            become(lambda: send_network(request, *fds))
        keepers.ignore(pid)
        return
    last = max(control.fileno(), *keepers.descriptors, *fds)
    if (pid := os.fork()) == 0:
        become(lambda: job.run(request, *fds[1:], last_inherited=last))
    keepers.watch(request, pid, fds.pop(0))


def become(program: Callable[[], None]) -> NoReturn:
    """Be the program, and end with it."""
    code = 1
    try:
        program()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
