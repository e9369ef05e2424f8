"""A job's private /opt/ml: a folder on this machine that represents the one in a container."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import io
import json
import os
import shutil
import struct
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from local.sagemaker.engines.archives import BadArchive, unpack
from local.sagemaker.errors import JobFailed

_ML = "/opt/ml"
# From <linux/fs.h>, where a long has eight bytes.
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_TOPDIR_FL = 0x80086601, 0x40086602, 0x00020000


class Container:
    """The folder of one job; `root` is its /opt/ml."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.root = self.folder / "ml"
        self.root.mkdir(parents=True)
        (self.root / "output").mkdir()

    def path(self, inside: str) -> Path:
        """The path on this machine of a path in the container."""
        return self.root / inside.removeprefix(_ML).lstrip("/")

    def there(self, text: str) -> str:
        """A job's message, with /opt/ml in place of its folder, whose name some jobs can see."""
        return text.replace(str(self.root), _ML)

    def write_json(self, relative: str, content: Any) -> None:
        """Write one of the files that SageMaker puts into a container."""
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))

    def message(self, relative: str, size: int = 1024) -> str:
        """The first bytes of a file in which a job reports its outcome; empty if there is none."""
        try:
            with (self.root / relative).open("rb") as file:
                text = file.read(size).decode(errors="ignore")
        except OSError:
            return ""
        return self.there(text)

    def unpack_model(self, archive: bytes) -> None:
        """Fill /opt/ml/model from a `model.tar.gz`."""
        model = self.root / "model"
        model.mkdir(parents=True, exist_ok=True)
        try:
            unpack(io.BytesIO(archive), model)
        except BadArchive as error:
            raise JobFailed(f"ClientError: Failed to extract model data archive: {error}") from error

    def remove(self) -> None:
        """Delete the folder with everything in it."""
        remove_folder(self.folder)


def pack(folders: Iterable[Path]) -> bytes:
    """A `.tar.gz` with exactly the content of some folders; of files with the same name, the first one's."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            found.setdefault(path.relative_to(folder).as_posix(), path)
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=3, mtime=int(time.time())) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for name, path in found.items():
            archive.add(path, arcname=name, recursive=False)
    return buffer.getvalue()


def keep_apart(folder: Path) -> None:
    """Ask the file system to put what is in this folder far apart, as `chattr +T` does; not all of them can.

    Whenever ext4 makes a file, it passes over each one nearby that was deleted in the last minutes. Jobs that
    come and go side by side leave hundreds of those.
    """
    opened = os.open(folder, os.O_RDONLY)
    try:
        (flags,) = struct.unpack("l", fcntl.ioctl(opened, FS_IOC_GETFLAGS, bytes(8)))
        fcntl.ioctl(opened, FS_IOC_SETFLAGS, struct.pack("l", flags | FS_TOPDIR_FL))
    except OSError:
        pass
    finally:
        os.close(opened)


def remove_folder(folder: Path) -> None:
    """Delete a folder with everything in it, including what a job made read-only."""
    shutil.rmtree(folder, onerror=_make_writable)


def _make_writable(function: Any, path: str, _: Any) -> None:
    with contextlib.suppress(OSError):
        Path(path).parent.chmod(0o700)
        Path(path).chmod(0o700)
        if function is os.open:  # a folder that could not even be read
            shutil.rmtree(path, onerror=_make_writable)
        else:
            function(path)
