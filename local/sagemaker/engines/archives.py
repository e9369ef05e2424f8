"""Unpacks untrusted archives. Standard library only."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path
from typing import IO

# The limit when unpacked. A job's instance has a larger disk, but this machine may not.
LARGEST = 1 << 30
MOST_MEMBERS = 100_000


class BadArchive(Exception):
    """The archive is damaged, or contains something other than its own files; the message says what."""


def unpack(archive: IO[bytes], folder: Path) -> None:
    """Write the files of a ``.tar.gz`` to an existing folder. Raises BadArchive."""
    folder = folder.resolve()
    try:
        with tarfile.open(fileobj=archive, mode="r:gz") as tar:
            _refuse_bomb(tar)
            _write_files(tar, folder)
    except Exception as error:  # on a hostile archive, tarfile and gzip may raise anything
        raise BadArchive(str(error) or type(error).__name__) from error


def _refuse_bomb(tar: tarfile.TarFile) -> None:
    """Check every size before writing. A negative one would lead back to an earlier member, endlessly."""
    unpacked, before = 0, -1
    for number, member in enumerate(tar):
        unpacked += member.size
        if member.size < 0 or member.offset <= before or unpacked > LARGEST:
            raise tarfile.ReadError(f"{member.name} has {member.size} bytes")
        if number >= MOST_MEMBERS:
            raise tarfile.ReadError(f"it has more than {MOST_MEMBERS} members")
        before = member.offset


def _write_files(tar: tarfile.TarFile, folder: Path) -> None:
    """Write plain files only. Python's own filter for this came with 3.11.4, but Debian 12 has 3.11.2."""
    for member in tar:
        if member.isdir():
            continue
        target = (folder / member.name).resolve()
        content = tar.extractfile(member) if member.isreg() else None
        if content is None or not target.is_relative_to(folder):
            raise tarfile.ReadError(f"{member.name} is no file inside of the archive's folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("wb") as file:
            shutil.copyfileobj(content, file)
        if member.mode & 0o100:
            target.chmod(0o755)
