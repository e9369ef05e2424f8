"""`mpg down`: stops the `mpg up` of this checkout."""

import os
import signal
import time

from local.cli.instance import read_running
from local.cli.project import STATE_FOLDER
from local.cli.screen import Screen

NOTE = STATE_FOLDER / "up.json"
STOP_SECONDS = 30.0


def stop() -> int:
    """Ask it to stop and wait until it has. Returns the exit code: 0 if nothing runs afterwards."""
    screen = Screen.on(stderr=False)
    note = read_running(NOTE)
    if note is None:
        screen.line("Nothing to stop: no mpg up is running for this checkout.")
        return 0
    os.kill(note.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while read_running(NOTE) == note:
        if time.monotonic() > deadline:
            screen.failure(
                f"Process {note.pid} did not stop within {STOP_SECONDS:.0f} s; its files are in {note.work}."
            )
            return 2
        time.sleep(0.05)
    screen.line(f"Stopped mpg up (process {note.pid}).")
    return 0
