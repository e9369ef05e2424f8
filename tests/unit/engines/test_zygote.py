"""What the warm interpreter does with a request, without starting one."""

from __future__ import annotations

import json
import os
import socket
import struct
from types import SimpleNamespace
from typing import Any

import pytest

from local.sagemaker.engines.warm import zygote

pytestmark = pytest.mark.enable_socket


def test_a_job_that_cannot_be_forked_ends_and_the_next_one_is_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> int:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(os, "fork", refuse)
    keepers: Any = SimpleNamespace(descriptors=[])
    body = json.dumps({"argv": ["sh"], "acknowledge": True}).encode()
    server, control = socket.socketpair()
    with server, control:
        for _ in range(2):
            status, theirs = socket.socketpair()
            with status:
                with theirs:
                    socket.send_fds(server, [struct.pack("!I", len(body))], [theirs.fileno()])
                server.sendall(body)

                assert zygote.accept(control, keepers, namespaces=False)
                assert server.recv(1) == b"!"
                status.settimeout(10)
                assert status.recv(1) == b""
