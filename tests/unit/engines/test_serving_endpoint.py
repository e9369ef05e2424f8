"""The program of an endpoint's container, as a real process."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.sagemaker.engines.processes import Command, Exit
from local.sagemaker.engines.serving import frames
from tests.unit.engines.test_serving import SUM, WSGI

if TYPE_CHECKING:
    from tests.unit.engines.conftest import Run, Runner

pytestmark = pytest.mark.enable_socket

PROGRAM = ("-m", "local.sagemaker.engines.serving.endpoint", "gunicorn")
HEADERS = {"Content-Type": "text/csv", "Accept": "text/csv"}


def start(runner: Runner, root: Path, kind: str = "instance", **env: str) -> tuple[Run, socket.socket]:
    """A container with SUM behind it, and the connection to it."""
    (root / "model/code").mkdir(parents=True)
    (root / "model/code/served.py").write_text(SUM)
    (root / "model/code/local_is_hidden.py").write_text("")
    variables = {**WSGI, "SAGEMAKER_BASE_DIR": str(root / "model"), **env}
    command = Command((*PROGRAM, str(root), "isolated", kind), variables, root)
    ours, theirs = socket.socketpair()
    ours.settimeout(30)
    return runner.spawn(command, connection=theirs), ours


def ask(connection: socket.socket, body: bytes) -> tuple[dict[str, object], bytes] | None:
    frames.send(connection, {"method": "POST", "path": "/invocations", "headers": HEADERS}, body)
    return frames.receive(connection)


def test_a_container_answers_over_its_connection_until_that_is_closed(runner: Runner, tmp_path: Path) -> None:
    run, connection = start(runner, tmp_path)
    with connection:
        assert frames.receive(connection) == ({"healthy": True}, b"")
        csv = {"Content-Type": "text/csv"}
        for word, status in (("sum", 200), ("bad", 400)):
            head = {"status": status, "headers": csv}
            assert ask(connection, f"{word} 3".encode()) == (head, b"3 ('POST', 'text/csv', 'text/csv')")
        # As gunicorn answers.
        broken = {"status": 500, "headers": {"Content-Type": "text/html"}}
        assert ask(connection, b"crash") == (broken, b"Internal Server Error")
    assert run.wait() == Exit(0, "exited")


def test_an_unhealthy_container_says_nothing_and_ends(runner: Runner, tmp_path: Path) -> None:
    run, connection = start(runner, tmp_path, PING="503 Service Unavailable")
    with connection:
        assert frames.receive(connection) is None
    assert run.wait() == Exit(1, "exited")


@pytest.mark.parametrize(("nginx", "starts"), [("true", False), ("false", True)])
def test_a_serverless_container_cannot_write_the_images_configuration(
    runner: Runner, tmp_path: Path, nginx: str, starts: bool
) -> None:
    run, connection = start(runner, tmp_path, "serverless", SAGEMAKER_USE_NGINX=nginx)
    with connection:
        assert (frames.receive(connection) is not None) == starts
    assert run.wait().code == (0 if starts else 1)
    refused = "[Errno 30] Read-only file system: '/etc/sagemaker-nginx.conf'"
    assert run.lines == ([] if starts else [refused])
