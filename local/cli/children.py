"""Child processes that never outlive the program."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from local.cli.interrupts import Interrupts

# Nothing in the children is kept, so a short wait suffices.
GRACE_SECONDS = 3.0


class Children:
    """Starts processes, each in its own process group, and ends all of them together with their descendants.

    A terminal sends Ctrl-C to its foreground group only, so the children keep running until
    `stop_all`. Their standard input is a pipe or a socket whose other end closes when this program is gone,
    however it ended.
    """

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        log: Path,
        stdin: socket.socket | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a command, with its output in the file `log`. Without a socket as `stdin`, it has a pipe."""
        with self._interrupts.held(), log.open("wb") as output:
            child = subprocess.Popen(  # noqa: S603 - only commands of our own
                command,
                env=dict(env),
                cwd=cwd,
                stdin=stdin.fileno() if stdin else subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._started.append(child)
        return child

    def stop_all(self, grace: float = GRACE_SECONDS) -> None:
        """Ask every child to end, wait at most `grace` seconds, kill the rest. Can be called again."""
        family = self._descendants()
        for child in self._started:
            _signal_group(child, signal.SIGTERM)
        deadline = time.monotonic() + grace
        for child in self._started:
            with suppress(subprocess.TimeoutExpired):
                child.wait(max(0.0, deadline - time.monotonic()))
        family |= self._descendants()
        for child in self._started:
            _signal_group(child, signal.SIGKILL)
            child.wait()
            if child.stdin:
                child.stdin.close()
        _kill_strays(family)
        self._started.clear()

    def _descendants(self) -> dict[int, str]:
        return _descendants([child.pid for child in self._started if child.poll() is None])


def _signal_group(child: subprocess.Popen[bytes], signum: int) -> None:
    # A group keeps its number while any member lives, even after its leader has been waited for.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signum)


def _processes() -> dict[int, tuple[int, str]]:
    """Process id -> (parent id, start time); empty where there is no `ps`."""
    try:
        listing = subprocess.check_output(["ps", "-A", "-o", "pid=,ppid=,lstart="], text=True)  # noqa: S607 - the ps of this PATH
    except (OSError, subprocess.CalledProcessError):
        return {}
    rows = (line.split(maxsplit=2) for line in listing.splitlines())
    return {int(pid): (int(parent), started) for pid, parent, started in rows}


def _descendants(roots: Sequence[int]) -> dict[int, str]:
    """Process id -> start time of all descendants of the roots, in whatever group they are now."""
    if not roots:
        return {}
    processes = _processes()
    family = set(roots)
    grown = True
    while grown:
        young = {pid for pid, (parent, _) in processes.items() if parent in family} - family
        family |= young
        grown = bool(young)
    return {pid: processes[pid][1] for pid in family - set(roots) if pid in processes}


def _kill_strays(family: Mapping[int, str]) -> None:
    """Kill surviving descendants; the start time guards against process ids that were reused."""
    if not family:
        return
    alive = _processes()
    for pid, started in family.items():
        if pid in alive and alive[pid][1] == started:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
