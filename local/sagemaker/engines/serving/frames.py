"""Requests and answers over a connection between this machine's server and a container: a head of JSON, and
the body as it is. Standard library only."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

_LENGTHS = struct.Struct("!IQ")
# To copy a small body is faster than to send it separately.
_COPIED = 1 << 16
Frame = tuple[dict[str, Any], bytes]


def send(connection: socket.socket, head: dict[str, Any], body: bytes = b"") -> None:
    """Send one frame. Raises OSError if the other side is gone."""
    encoded = json.dumps(head).encode()
    head_and_lengths = _LENGTHS.pack(len(encoded), len(body)) + encoded
    if len(body) < _COPIED:
        connection.sendall(head_and_lengths + body)
    else:
        connection.sendall(head_and_lengths)
        connection.sendall(body)


def receive(connection: socket.socket) -> Frame | None:
    """The next frame; None if the other side is gone. Raises TimeoutError."""
    lengths = _read(connection, _LENGTHS.size)
    if lengths is None:
        return None
    head, body = (_read(connection, length) for length in _LENGTHS.unpack(lengths))
    if head is None or body is None:
        return None
    return json.loads(head), bytes(body)


def _read(connection: socket.socket, length: int) -> bytearray | None:
    content = bytearray(length)
    view, done = memoryview(content), 0
    while done < length:
        try:
            got = connection.recv_into(view[done:])
        except ConnectionResetError:
            return None
        if not got:
            return None
        done += got
    return content
