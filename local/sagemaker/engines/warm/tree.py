"""Finds the descendants of a process, measures their memory, and ends them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

PROC = Path("/proc")
HAS_PROC = (PROC / "self/statm").exists()
# A kernel may be built without it; then the search for a process's children reads all processes.
TELLS_CHILDREN = (PROC / f"self/task/{os.getpid()}/children").exists()
# From <sys/prctl.h>.
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of every orphan below it, so that it finds even the job's daemons.
    Linux only; elsewhere it finds only the process group and processes that still have their parent."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies. No effect outside of Linux."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def kill_group(pid: int) -> None:
    """Kill the process group that the process has made, if it still has members."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def kill(pids: Iterable[int]) -> None:
    """Kill these processes, of which some may have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def exceed(used: Mapping[int, int], limit: int) -> bool:
    """Whether these processes use more than ``limit`` bytes of memory, by their ``resident_bytes``.

    Only resident memory counts, as in a container: memory that is reserved but unused is free. All are forks
    of one warm interpreter; pages that they share count once, if the system reports them.
    """
    if sum(used.values()) <= limit:
        return False
    return sum(_proportional_bytes(member, resident) for member, resident in used.items()) > limit


def _proportional_bytes(pid: int, resident: int) -> int:
    try:
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    # Where there is /proc, the process may have ended meanwhile, and then holds nothing any more.
    return (_resident(pid) or 0) if HAS_PROC else resident


def resident_bytes(root: int, *, include_root: bool = False) -> dict[int, int]:
    """Resident bytes by process id, of ``root``'s descendants."""
    if TELLS_CHILDREN:
        return {pid: size for pid in _below(root, include_root) if (size := _resident(pid)) is not None}
    table = _table()
    found = {root}
    # After ids wrap around, parents can have higher ids than their children, so one pass does not suffice.
    while more := {pid for pid, (parent, _) in table.items() if parent in found} - found:
        found |= more
    if not include_root:
        found.discard(root)
    return {pid: table[pid][1] for pid in found if pid in table}


def children(pid: int) -> list[int]:
    """The process ids of a process's own children."""
    if not TELLS_CHILDREN:
        return [child for child, (parent, _) in _table().items() if parent == pid]
    found: list[int] = []
    # Each thread has its own children; a process that ended meanwhile has none.
    with contextlib.suppress(OSError):
        for thread in (PROC / str(pid) / "task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found


def _below(root: int, include_root: bool) -> list[int]:
    found = [root]
    # The list grows during the loop.
    for pid in found:
        found += children(pid)
    return found if include_root else found[1:]


def _resident(pid: int) -> int | None:
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def _table() -> dict[int, tuple[int, int]]:
    """The parent and the resident bytes of every process."""
    return _proc_table() if HAS_PROC else _ps_table()


def _proc_table() -> dict[int, tuple[int, int]]:
    page = os.sysconf("SC_PAGE_SIZE")
    table = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # The command's name, in brackets, may itself contain spaces and brackets.
                fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
                table[int(folder.name)] = (int(fields[1]), int(fields[21]) * page)
    return table


def _ps_table() -> dict[int, tuple[int, int]]:
    command = ["ps", "-A", "-o", "pid=,ppid=,rss="]
    listing = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a constant
    rows = [line.split() for line in listing.stdout.splitlines()]
    return {int(pid): (int(parent), int(rss) * 1024) for pid, parent, rss in rows}
