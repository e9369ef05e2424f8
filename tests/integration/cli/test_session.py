"""Tests of a session that need no embedded AWS; the rest is in tests/e2e."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.problems import Trouble
from local.cli.interrupts import Interrupts
from local.cli.session import Session, free_port, session


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_free_port_is_the_preferred_one_unless_somebody_listens_there(taken: int) -> None:
    free = free_port(0)
    assert free_port(free) == free
    assert free_port(taken) not in (0, taken)


def test_a_requested_port_that_is_taken_is_reported_before_anything_starts(
    taken: int,
) -> None:
    with session(Interrupts()) as made, pytest.raises(Trouble, match=f"Port {taken} is in use"):
        made.start_aws(taken)


def test_a_closed_session_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = Session(Interrupts())
    (made.work / "half").write_text("written")
    made.close()
    made.close()
    assert list(tmp_path.iterdir()) == []
