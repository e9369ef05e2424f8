"""Runtimes that start warm: forks of an interpreter which has imported the SDK, as Lambda's runtime has it. That
import is most of a runtime's start.

    python warm_runtime.py serve SOCKET           the interpreter
    python warm_runtime.py start SOCKET HANDLER   what the emulator starts as its runtime; it asks for a fork
    python warm_runtime.py                        the fork, with the environment of the one that asked
"""

import json
import os
import socket
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HANDLER = "WARM_RUNTIME_HANDLER"


def serve(path: str) -> None:
    """Fork a runtime for each that asks. Who ends this process's group ends them, too."""
    sys.path[:1] = [str(ROOT)]
    import gc
    import signal

    import boto3.dynamodb.conditions  # noqa: F401

    from local.embedded.function_zygote import SERVICES, fork, read_models, receive

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps them
    read_models(SERVICES)
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen()
        print("ready", flush=True)
        asked = []
        while True:
            asked.append(door.accept()[0])
            if request := receive(asked[-1]):
                fork(*request)


def start(path: str, handler: str) -> None:
    """Ask for a runtime that has this process's environment and streams, and stay as long as it may live."""
    environment = {**os.environ, HANDLER: handler}
    request = json.dumps({"script": __file__, "cwd": str(Path.cwd()), "env": environment}).encode()
    with socket.socket(socket.AF_UNIX) as interpreter:
        interpreter.connect(path)
        socket.send_fds(interpreter, [struct.pack("!I", len(request))], [0, 1, 2])
        interpreter.sendall(request)
        interpreter.recv(1)


def be() -> None:
    """Be what `python -m awslambdaric HANDLER` would have been in this folder."""
    # In place of this script's folder and the project's.
    sys.path[:2] = [str(Path.cwd()), *os.environ["PYTHONPATH"].split(os.pathsep)]
    # Each imports it for itself: a fork cannot use its native part.
    from awslambdaric.__main__ import main

    main(["awslambdaric", os.environ.pop(HANDLER)])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", path]:
            serve(path)
        case ["start", path, handler]:
            start(path, handler)
        case _:
            be()
