"""Inside the warm interpreter of functions: imports the SDK once, then forks a process for each function.

It must stay single-threaded, since a fork takes only the calling thread along. The other side of the socket
is ``function_processes``.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

HEADER = struct.Struct("!I")
STREAMS = 3
# What Lambda's runtime has; what a function brings along comes from its own files (`function_families`).
PRELOAD = ("boto3", "boto3.dynamodb.conditions", "boto3.s3.inject", "botocore.config", "botocore.exceptions")
# Reading what botocore knows of a service takes most of the time in which its first client is made.
SERVICES = ("dynamodb", "s3", "sagemaker", "sns", "stepfunctions", "xray")

Request = dict[str, Any]
Fork = Callable[[Request, list[int]], int]


def main(control_fd: int) -> None:
    """Serve until the other end of ``control_fd`` (a Unix stream socket) is closed.

    A request is a 4-byte length, with the function's three streams attached to it, and that many bytes of
    JSON (`script`, `cwd`, `env`); the answer is the process id in 4 bytes.
    """
    from local.embedded.function_families import Families

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps them
    # Nothing that is imported is garbage.
    gc.disable()
    # The SDK would import it where it is, which is not the case in Lambda's runtime.
    sys.modules["OpenSSL"] = None  # type: ignore[assignment]
    for name in PRELOAD:
        importlib.import_module(name)
    del sys.modules["OpenSSL"]
    read_models(SERVICES)
    gc.enable()
    serve(socket.socket(fileno=control_fd), Families().fork)


def serve(control: socket.socket, start: Fork) -> None:
    """Answer each request with the id of the process that was started for it."""
    # A collection in a fork would write to every object's header, and so copy the memory that is shared.
    gc.collect()
    gc.freeze()
    with control:
        while (request := receive(control)) is not None:
            control.sendall(HEADER.pack(start(*request)))


def ask(control: socket.socket, body: bytes, streams: Sequence[int]) -> int:
    """Send a request; returns the process id. Raises ConnectionError or struct.error if nobody serves."""
    socket.send_fds(control, [HEADER.pack(len(body))], streams)
    control.sendall(body)
    (pid,) = HEADER.unpack(control.recv(HEADER.size, socket.MSG_WAITALL))
    return int(pid)


def read_models(services: Sequence[str]) -> None:
    """Let every session read these services' models from memory; it takes nothing of the environment.

    A library may make a session of its own, as X-Ray's does when it is imported.
    """
    import boto3
    from botocore import session

    from local.sagemaker.models import new_loader

    loader, make_loader = new_loader(), session.create_loader
    used, fresh = session.Session(), session.Session()
    for each in (used, fresh):
        each.register_component("data_loader", loader)
    clients = boto3.Session(botocore_session=used)
    # Credentials are part of the environment, which each function has of its own.
    nobody = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    for service in services:
        client: Any = clients.client
        client(service, region_name="us-east-1", **nobody)
    # boto3 adds a model of its own: the first table takes 20 ms, the next one 4.
    clients.resource("dynamodb", region_name="us-east-1", **nobody).Table("none")

    def create_loader(search_path_string: str | None = None) -> Any:
        return make_loader(search_path_string) if search_path_string else loader

    session.create_loader = create_loader
    boto3.setup_default_session(botocore_session=fresh)


def receive(control: socket.socket) -> tuple[Request, list[int]] | None:
    header, streams, _, _ = socket.recv_fds(control, HEADER.size, STREAMS, socket.MSG_WAITALL)
    if len(header) < HEADER.size:
        return None
    body = control.recv(HEADER.unpack(header)[0], socket.MSG_WAITALL)
    return json.loads(body), streams


def fork(request: Request, streams: list[int]) -> int:
    """Start a function's process; the streams are its own, and closed here."""
    pid = os.fork()
    if pid == 0:
        _become(request, streams)
    for stream in streams:
        os.close(stream)
    return pid


def _become(request: Request, streams: list[int]) -> NoReturn:
    """Be what `python script` would have been, and end with it."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _connect(streams)
        os.environ.clear()
        os.environ.update(request["env"])
        os.chdir(request["cwd"])
        sys.argv = [request["script"]]
        sys.path.insert(0, str(Path(request["script"]).parent))
        runpy.run_path(request["script"], run_name="__main__")
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def _connect(streams: list[int]) -> None:
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
    # These streams, and the sockets of the interpreter.
    os.closerange(STREAMS, os.sysconf("SC_OPEN_MAX"))
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(  # type: ignore[misc]  # noqa: SIM115
        2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
    )
