"""The one `mpg up` of a checkout: its note for other commands, which shows them whether it is alive.

The process holds a lock on its note for as long as it lives. The operating system releases the lock however
the process ends, so a note without a lock is stale, and the process id in a locked note is valid.
"""

import fcntl
import json
import os
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from io import TextIOWrapper
from pathlib import Path

WORK_PREFIX = "mpg-"
# In the work folder: the embedded AWS's files, including its secret.
AWS_FOLDER = "aws"
# A command that only reads the note, and a predecessor that is exiting, also hold the lock briefly.
CLAIM_ATTEMPTS = 3


class AlreadyRunning(Exception):
    """Another `mpg up` of this checkout is alive."""

    def __init__(self, note: "Note | None") -> None:
        super().__init__("mpg up is already running")
        self.note = note


@dataclass(frozen=True)
class Note:
    """What other commands need to know about the running `mpg up`."""

    pid: int
    port: int | None
    """None until the application is deployed."""
    work: str
    """The temporary folder with its jobs and logs."""
    started: str


class Instance:
    """The right to be the one `mpg up`, held from `claim` to `release`."""

    def __init__(self, file: TextIOWrapper, path: Path) -> None:
        self._file = file
        self._path = path
        self.is_ready = False

    @classmethod
    def claim(cls, path: Path) -> tuple["Instance", Note | None]:
        """Become the one `mpg up`; also returns the note of a predecessor that was killed before cleaning up.

        Raises AlreadyRunning.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(CLAIM_ATTEMPTS):
            path.touch(mode=0o600)
            file = path.open("a+", encoding="utf-8")
            if _lock(file) and _same_file(file, path):
                return cls(file, path), _read(file)
            file.close()
            time.sleep(0.05)
        raise AlreadyRunning(read_running(path))

    def write(self, note: Note) -> None:
        """Publish the note."""
        self.is_ready = note.port is not None
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps(asdict(note)))
        self._file.flush()

    def release(self) -> None:
        """Remove the note and release the lock. Can be called again."""
        if not self._file.closed:
            self._path.unlink(missing_ok=True)
            self._file.close()


def read_running(path: Path) -> Note | None:
    """The note of the running `mpg up`, or None; a stale note counts as none."""
    try:
        file = path.open("r+", encoding="utf-8")
    except FileNotFoundError:
        return None
    with file:
        return None if _lock(file) else _read(file)


def sweep_up(stale: Note) -> bool:
    """Remove the working folder that a killed `mpg up` left behind; returns whether there was one."""
    folder = Path(stale.work)
    ours = folder.parent == Path(tempfile.gettempdir()) and folder.name.startswith(WORK_PREFIX)
    if not ours or not folder.is_dir():
        return False
    shutil.rmtree(folder, ignore_errors=True)
    return True


def _lock(file: TextIOWrapper) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _same_file(file: TextIOWrapper, path: Path) -> bool:
    # Between opening and locking, the holder may have removed the file; then no other process sees this one.
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _read(file: TextIOWrapper) -> Note | None:
    file.seek(0)
    try:
        return Note(**json.loads(file.read()))
    except (ValueError, TypeError):
        return None
