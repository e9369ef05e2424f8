"""Whenever and however `mpg run` is interrupted, it leaves no process, no port and no half-written file."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.mpg import Place, listens, wait_for

NOTHING: dict[str, list[str]] = {"processes": [], "temporary files": [], "unfinished state": []}


@pytest.mark.parametrize(
    ("moment", "signum"),
    [
        (None, signal.SIGINT),
        ("building", signal.SIGINT),
        (r"ok +Start the embedded AWS", signal.SIGTERM),
        (r"Uploaded to", signal.SIGINT),
        (r"ok +Preprocess", signal.SIGHUP),
        (r"Mail to approver", signal.SIGINT),
    ],
)
def test_an_interrupted_run_leaves_nothing(
    tmp_path: Path, moment: str | None, signum: signal.Signals
) -> None:
    place, log = Place.under(tmp_path, built=moment not in (None, "building")), tmp_path / "log"
    process = place.start("run", log=log)
    try:
        if moment == "building":
            wait_for_build(place, process)
        elif moment:
            wait_for(log, moment, process)
        # As a terminal does it: to the whole foreground group. Twice, as impatient people do.
        os.killpg(process.pid, signum)
        os.killpg(process.pid, signum)
        assert process.wait(30) in (128 + signum, -signum), log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
    assert place.leftovers() == NOTHING
    for port in re.findall(r"http://127\.0\.0\.1:(\d+)", log.read_text()):
        assert not listens(int(port))


def wait_for_build(place: Place, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while not list(place.state.glob("build/.*/app/*")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
