"""Packs the code of all workloads as it is published: a job downloads one file faster than fifty.

The same files always give the same bytes, so that an unchanged deployment publishes under the same hash.
"""

import importlib.util
import io
import json
import marshal
import zipfile
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path

from code_digests import step_digests
from common.bundle import write_tar_gz
from common.workload import FILE
from workload_files import BadWorkload, Settings

# The program of processing jobs, and the archive that the toolkits unpack for training jobs in script mode.
PROGRAM, SOURCES = "code.zip", "sourcedir.tar.gz"
# A package in the function's layer, which processing/wheels/Makefile makes.
_WHEELS = "published_wheels"
_SUFFIXES = {".py", ".json"}
# Of a compiled module: Python compares the hash of its source before it runs it (PEP 552).
_CHECKED_HASH = 0b11
# The last format of marshal in which the same code always has the same bytes.
_MARSHAL = 2
# The earliest time that a zip file can store.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def pack(folder: Path, workloads: Mapping[str, Settings]) -> dict[str, bytes]:
    """The files to publish, by path: the packed code, the settings that the state machine reads, and wheels.

    Raises BadWorkload for a missing wheel and for a module that is no Python.
    """
    wheels, code = read_wheels(workloads), read_code(folder, workloads)
    settings = {
        f"{name}/{FILE}": _with_digests(name, found, code, wheels) for name, found in workloads.items()
    }
    code |= settings
    return {PROGRAM: to_zip({**code, **compiled(code)}), SOURCES: to_tar_gz(code), **settings, **wheels}


def _with_digests(
    name: str, settings: Settings, code: Mapping[str, bytes], wheels: Mapping[str, bytes]
) -> bytes:
    digests = step_digests(name, settings, code, wheels)
    return json.dumps({**settings, "digests": digests}, indent=2).encode()


def read_wheels(workloads: Mapping[str, Settings]) -> dict[str, bytes]:
    """The wheels of the layer by the path to publish them, if a workload names any. Raises BadWorkload."""
    named = {name: settings["evaluation"]["wheels"] for name, settings in workloads.items()}
    if not any(named.values()):
        return {}
    found = _wheels()
    # A wheel's name begins with its library's, with "_" for "-".
    libraries = {name.partition("-")[0].replace("_", "-").lower() for name in found}
    for name, wanted in named.items():
        if missing := [library for library in wanted if library not in libraries]:
            raise BadWorkload(
                f"{name}/{FILE}: evaluation.wheels: there is no wheel of {' or '.join(missing)}; add it to "
                "the group wheels in pyproject.toml and call `make lock`. There are: "
                f"{', '.join(sorted(libraries)) or 'none'}"
            )
    return {f"wheels/{name}": content for name, content in found.items()}


def _wheels() -> dict[str, bytes]:
    try:
        layer = resources.files(_WHEELS)
    except ModuleNotFoundError:
        return {}
    return {file.name: file.read_bytes() for file in layer.iterdir() if file.name.endswith(".whl")}


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


def compiled(code: Mapping[str, bytes]) -> dict[str, bytes]:
    """The compiled modules, to be packed beside their source. Raises BadWorkload.

    Python ignores them if it has another version, or if a module has another source than was compiled.
    """
    return {f"{path}c": _compiled(path, source) for path, source in code.items() if path.endswith(".py")}


def _compiled(path: str, source: bytes) -> bytes:
    try:
        module = compile(source, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise BadWorkload(f"{path}, line {error.lineno}: this is no Python: {error.msg}") from None
    header = importlib.util.MAGIC_NUMBER + _CHECKED_HASH.to_bytes(4, "little")
    return header + importlib.util.source_hash(source) + marshal.dumps(module, _MARSHAL)


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
