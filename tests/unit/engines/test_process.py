"""The server's side of a job, with the far side played by the test."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from local.sagemaker.engines import process
from local.sagemaker.engines.process import Exit, LineBuffer, Process
from tests.unit.engines.test_processes import wait_until

pytestmark = pytest.mark.enable_socket

DONE = b'{"code": 0, "reason": "exited"}'


@dataclass
class FarSide:
    """The ends of the keeper and of the job."""

    status: socket.socket
    output: int
    process: Process
    lines: list[str] = field(default_factory=list)


@pytest.fixture
def far() -> Iterator[FarSide]:
    ours, theirs = socket.socketpair()
    reader, writer = os.pipe()
    lines: list[str] = []
    with theirs:
        yield FarSide(theirs, writer, Process(ours, reader, None, lines.append, 1.0), lines)


def test_output_after_an_unread_stop_is_not_lost(far: FarSide) -> None:
    """The socket then reports a reset, after the keeper's last words."""
    far.process.stop()
    far.status.sendall(DONE)
    far.status.close()
    os.write(far.output, b"last words")
    os.close(far.output)

    assert far.process.wait() == Exit(0, "exited")
    assert far.lines == ["last words"]


def test_output_is_read_together_if_it_comes_in_quick_succession(
    far: FarSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "READ_SECONDS", 3600)
    sizes: list[int] = []
    read = os.read

    def note(fd: int, size: int) -> bytes:
        part = read(fd, size)
        sizes.append(len(part))
        return part

    monkeypatch.setattr(os, "read", note)
    for line in (b"1\n", b"2\n", b"3\n"):
        os.write(far.output, line)
        wait_until(lambda: bool(far.lines))
    os.close(far.output)
    far.status.sendall(DONE)
    far.status.close()

    assert far.process.wait() == Exit(0, "exited")
    assert (far.lines, sizes[:2]) == (["1", "2", "3"], [2, 4])


def test_an_escaped_process_that_holds_the_output_open_does_not_delay_the_end(
    far: FarSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "DRAIN_SECONDS", 0.01)
    os.write(far.output, b"said")
    far.status.sendall(DONE)
    far.status.close()

    assert far.process.wait() == Exit(0, "exited")
    assert far.lines == ["said"]
    os.close(far.output)


def test_a_keeper_that_vanishes_leaves_a_job_that_was_killed(far: FarSide) -> None:
    far.status.close()
    os.close(far.output)

    assert far.process.wait() == Exit(None, "exited")


def test_an_endless_line_is_split() -> None:
    lines: list[str] = []
    buffer = LineBuffer(lines.append)
    for _ in range(9):
        buffer.feed(b"x" * 65536)
    buffer.feed(b"\r\nlast \xff")
    buffer.end()

    assert [len(line) for line in lines] == [262144, 262144, 65536, 6]
    assert lines[-1] == "last \ufffd"
