"""Child processes that never outlive the program."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from local.cli.interrupts import Interrupts

# Nothing that they hold is kept, so there is little worth waiting for.
GRACE_SECONDS = 3.0


class Children:
    """Starts processes, each in a group of its own, and ends all of them together with their descendants.

    A terminal sends Ctrl-C to its foreground group only: in groups of their own the children go on until
    `stop_all`. Their standard input is a pipe that closes when this program is gone, however it went.
    """

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path
    ) -> subprocess.Popen[bytes]:
        """Start a command; what it prints goes to the file `log`."""
        with self._interrupts.held(), log.open("wb") as output:
            child = subprocess.Popen(  # noqa: S603 - only commands of our own
                command,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._started.append(child)
        return child

    def stop_all(self, grace: float = GRACE_SECONDS) -> None:
        """Ask every child to end, wait at most `grace` seconds, kill what is left. Can be called again."""
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
    # A group keeps its number as long as any member lives, even after its leader was waited for.
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
    """Process id -> start time of everything that the roots started, in whatever group it is now."""
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
    """Kill descendants that survived; the start time tells them from strangers that got their number."""
    if not family:
        return
    alive = _processes()
    for pid, started in family.items():
        if pid in alive and alive[pid][1] == started:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
