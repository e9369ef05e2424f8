"""Reads the archive that training wrote, and packs the bundle for the registry.

Nothing is unpacked to a path from an archive: files are looked up by name, and every size has a limit.
"""

from __future__ import annotations

import gzip
import io
import pkgutil
import tarfile
import tempfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import BinaryIO

LARGEST_ARCHIVE = 64 << 20
# The gzip command's own level; 9, Python's, makes a model 2 % smaller and takes four times as long.
_COMPRESSION = 6

# code/inference.py: SageMaker's toolkits look for these two functions there, wsgi.py for the workload.
_INFERENCE = """from common.answering import make_transform_fn
from {workload} import inference as workload

model_fn = workload.model_fn
transform_fn = make_transform_fn(workload)
"""


class BadArchive(Exception):
    """The file is not a model.tar.gz, or lacks a required file."""


@dataclass(frozen=True)
class Contents:
    """Files of a folder, to be sent to where the folder is not: to another process or machine."""

    files: tuple[tuple[str, bytes], ...]

    @classmethod
    def read(cls, folder: Path, names: Iterable[str]) -> Contents:
        """The files with these names; those that are missing are left out."""
        paths = {name: folder / name for name in sorted(names)}
        return cls(tuple((name, path.read_bytes()) for name, path in paths.items() if path.is_file()))

    @contextmanager
    def unpacked(self) -> Iterator[Path]:
        """A folder with the files, for as long as the context lasts."""
        with tempfile.TemporaryDirectory() as folder:
            for name, content in self.files:
                (Path(folder) / name).write_bytes(content)
            yield Path(folder)


def read_files(archive: Path, names: Collection[str]) -> dict[str, bytes]:
    """The contents of the files with these names at the root of a tar.gz. Raises BadArchive."""
    data = io.BytesIO(_decompress(archive))
    try:
        with tarfile.open(fileobj=data, mode="r:") as tar:
            members = {_root_name(member): member for member in _forwards(tar) if member.isreg()}
            found = {name: _content(tar, members[name]) for name in names if name in members}
    except Exception as error:  # on a hostile archive, tarfile may raise anything
        raise BadArchive(f"{archive.name} is damaged") from error
    if missing := sorted(set(names) - set(found)):
        raise BadArchive(f"{archive.name} holds no {' and no '.join(missing)}")
    return found


def serving_code(workload: str) -> dict[str, bytes]:
    """The code that serves a workload's model, with the images' entry points, by its path in the bundle."""
    code = {
        f"code/{package}/{name}": source
        for package in ("common", workload)
        for name, source in _sources(package)
    }
    code["code/wsgi.py"] = code.pop("code/common/wsgi.py")
    code["code/inference.py"] = _INFERENCE.format(workload=workload).encode()
    return code


def _sources(package: str) -> Iterator[tuple[str, bytes]]:
    """The files of a package's modules, which are in a zip file in a job."""
    modules = pkgutil.iter_modules(import_module(package).__path__)
    for name in ("__init__", *(module.name for module in modules if not module.ispkg)):
        if source := pkgutil.get_data(package, f"{name}.py"):
            yield f"{name}.py", source


def write_archive(archive: Path, folder: Path, code: Mapping[str, bytes]) -> None:
    """Pack the files of a folder and others, by path; the same files always give the same bytes."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    files = {**{path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}, **code}
    with archive.open("wb") as stream:
        write_tar_gz(stream, sorted(files.items(), key=lambda file: PurePosixPath(file[0])))


def write_tar_gz(stream: BinaryIO, files: Iterable[tuple[str, bytes]]) -> None:
    """Pack files, given as name and content; the same files in the same order always give the same bytes."""
    with (
        gzip.GzipFile("", "wb", _COMPRESSION, stream, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name, content in files:
            _add(tar, name, content)


def _decompress(archive: Path) -> bytes:
    try:
        with gzip.open(archive) as stream:
            data = stream.read(LARGEST_ARCHIVE + 1)
    except FileNotFoundError:
        raise BadArchive(f"{archive.name} is missing") from None
    except (OSError, EOFError, zlib.error) as error:
        raise BadArchive(f"{archive.name} is no whole gzip file") from error
    if len(data) > LARGEST_ARCHIVE:
        raise BadArchive(f"{archive.name} is larger than {LARGEST_ARCHIVE >> 20} MiB when unpacked")
    return data


def _forwards(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members, in order. A negative size would lead back to an earlier member, endlessly."""
    before = -1
    for member in tar:
        if member.size < 0 or member.offset <= before:
            raise tarfile.ReadError(member.name)
        before = member.offset
        yield member


def _root_name(member: tarfile.TarInfo) -> str:
    """Archives made with `tar -C folder .` call their files ./name."""
    return member.name.removeprefix("./")


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    if stream is None or member.size > LARGEST_ARCHIVE:  # a sparse file is larger than its archive
        raise tarfile.ReadError(member.name)
    with stream:
        return stream.read()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
