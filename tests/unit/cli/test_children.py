"""Tests with real processes, because the operating system's behaviour matters."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local.cli.children import Children
from local.cli.interrupts import Interrupts
from local.cli.project import ROOT

SLEEP = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
# A parent that ignores SIGTERM, and its child in a separate session, like a job of the embedded AWS.
FAMILY = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def children() -> Children:
    return Children(Interrupts())


def start(children: Children, code: str, log: Path) -> "subprocess.Popen[bytes]":
    return children.start([sys.executable, "-c", code], env=os.environ, cwd=ROOT, log=log)


def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


def lives(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True
    ).stdout.strip()
    return bool(state) and not state.startswith("Z")


def test_children_are_asked_to_end_first(children: Children, tmp_path: Path) -> None:
    child = start(children, SLEEP, tmp_path / "log")
    children.stop_all()
    assert child.returncode == -signal.SIGTERM


def test_a_child_that_does_not_end_in_time_is_killed(children: Children, tmp_path: Path) -> None:
    child = start(children, STUBBORN, tmp_path / "log")
    until((tmp_path / "log").read_text)
    children.stop_all(grace=0.1)
    assert child.returncode == -signal.SIGKILL


def test_descendants_in_other_groups_are_killed_when_their_parent_had_to_be(
    children: Children, tmp_path: Path
) -> None:
    start(children, FAMILY, tmp_path / "log")
    until((tmp_path / "log").read_text)
    grandchild = int((tmp_path / "log").read_text())
    assert lives(grandchild)
    children.stop_all(grace=0.1)
    until(lambda: not lives(grandchild))


def test_stopping_twice_is_harmless(children: Children, tmp_path: Path) -> None:
    start(children, "pass", tmp_path / "log")
    children.stop_all()
    children.stop_all()


def test_the_output_of_a_child_is_in_its_log(children: Children, tmp_path: Path) -> None:
    child = start(children, "import sys; print('out'); print('err', file=sys.stderr)", tmp_path / "log")
    child.wait(10)
    assert sorted((tmp_path / "log").read_text().split()) == ["err", "out"]


def test_a_guarded_module_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    module = tmp_path / "endless.py"
    module.write_text("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    log = tmp_path / "log"
    starter = f"""
import os, pathlib, time
from local.cli.children import Children
from local.cli.interrupts import Interrupts
Children(Interrupts()).start(
    [{sys.executable!r}, "-m", "local.cli.child", "endless"],
    env={{**os.environ, "PYTHONPATH": {str(tmp_path)!r}}}, cwd=pathlib.Path({str(ROOT)!r}), log=pathlib.Path({str(log)!r}),
)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", starter], cwd=ROOT)
    try:
        until(lambda: log.exists() and log.read_text())
        endless = int(log.read_text())
        assert lives(endless)
    finally:
        process.kill()
        process.wait()
    until(lambda: not lives(endless))
