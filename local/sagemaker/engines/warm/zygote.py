"""The warm interpreter: imports the libraries once, then forks a keeper for each requested job.

It must stay single-threaded, because a fork copies only the calling thread, and the locks of the others would
stay held forever. It therefore computes nothing, and starts with one thread for OpenMP and BLAS. Their pools
cannot survive a fork, and read their variables when loaded, so a job's own ``OMP_NUM_THREADS`` comes too
late.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import struct
import sys
import traceback
from typing import Any

from local.sagemaker.engines.warm import adoption, hiding, keeper, namespace

HEADER = struct.Struct("!I")
# Status, output, standard input, and the namespaces of a network.
MAX_FDS = 5


def main(control_fd: int, preload: list[str], namespaces: bool) -> None:
    """Serve until the other end of ``control_fd`` (a Unix stream socket) is closed.

    A request is a 4-byte length, with the job's file descriptors attached to it, and that many bytes of JSON.
    One without a command asks for a network, on the one socket that comes with it.
    """
    namespaces = namespaces and has_namespaces()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers report their results, and the kernel reaps them
    with socket.socket(fileno=control_fd) as control:
        warm_up(preload)
        while (received := receive(control)) is not None:
            request, fds = received
            fork(control, request | {"namespaces": namespaces}, fds)


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
    for name in preload:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"warm interpreter: {error}", file=sys.stderr)
    adoption.remember()
    hiding.remember()
    # A collection in a fork would write to every object's header and thereby copy the shared memory.
    gc.collect()
    gc.freeze()


def receive(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
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
    return json.loads(body), fds


def send_network(request: dict[str, Any], fd: int) -> None:
    """Make a network and send its descriptors; none if jobs have no namespaces."""
    with socket.socket(fileno=fd) as connection:
        socket.send_fds(connection, [b"!"], namespace.make_network() if request["namespaces"] else [])


def fork(control: socket.socket, request: dict[str, Any], fds: list[int]) -> None:
    if os.fork() == 0:
        try:
            control.close()
            (keeper.keep if "argv" in request else send_network)(request, *fds)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    for fd in fds:
        os.close(fd)
    if request["acknowledge"]:
        control.sendall(b"!")
