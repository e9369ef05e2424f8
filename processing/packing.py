"""Packs the code of all workloads as it is published: a job downloads one file faster than fifty.

The same files always give the same bytes, so that an unchanged deployment publishes under the same hash.
"""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from common.bundle import write_tar_gz
from common.workload import FILE
from workload_files import Settings

# The program of processing jobs, and the archive that the toolkits unpack for training jobs in script mode.
PROGRAM, SOURCES = "code.zip", "sourcedir.tar.gz"
_SUFFIXES = {".py", ".json"}
# The earliest time that a zip file can store.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def pack(folder: Path, workloads: Mapping[str, Settings]) -> dict[str, bytes]:
    """The files to publish, by path: the packed code, and the settings that the state machine reads."""
    settings = {f"{name}/{FILE}": json.dumps(found, indent=2).encode() for name, found in workloads.items()}
    code = read_code(folder, workloads) | settings
    return {PROGRAM: to_zip(code), SOURCES: to_tar_gz(code), **settings}


def read_code(folder: Path, packages: Iterable[str]) -> dict[str, bytes]:
    """The files of `common/` and these packages by path, and `run.py` as what Python runs of a zip file."""
    paths = [
        path
        for package in ("common", *packages)
        for path in (folder / package).rglob("*")
        if path.suffix in _SUFFIXES
    ]
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    return {"__main__.py": (folder / "run.py").read_bytes(), **files}


def to_zip(files: Mapping[str, bytes]) -> bytes:
    """A zip file, without compression: it is small, and so it never depends on a version of zlib."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), content)
    return buffer.getvalue()


def to_tar_gz(files: Mapping[str, bytes]) -> bytes:
    """A compressed tar file."""
    buffer = io.BytesIO()
    write_tar_gz(buffer, sorted(files.items()))
    return buffer.getvalue()
