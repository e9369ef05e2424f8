"""SHA-256 digests of files, written as `sha256:<hex>`; of a large upload as `sha256-64mib:<hex>`.

The latter is the SHA-256 of the SHA-256 digests of the file's parts of 64 MiB. S3 computes it while it copies
the parts, and a job computes it on all its cores. S3 calls it a composite checksum:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html

One step passes its files to the next in a bucket. It passes their digest outside of the bucket, in its job's
exit message and the next job's arguments, so that the next step detects files that were changed or added.
Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from common.text import printable

WHOLE, IN_PARTS = "sha256:", "sha256-64mib:"
PART_BYTES = 64 * 1024**2
_CHUNK = 1 << 20


class ChangedFile(Exception):
    """A file differs from the one that an earlier step wrote; `str(error)` names it and the way out."""


def file_digest(path: Path) -> str:
    """The digest of a file of any size."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return f"{WHOLE}{digest.hexdigest()}"


def parts_digest(path: Path) -> str:
    """The digest of the digests of a file's parts."""
    starts = range(0, path.stat().st_size, PART_BYTES)
    # hashlib releases the interpreter's lock.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        digests = pool.map(partial(_part_digest, path), starts)
        return f"{IN_PARTS}{hashlib.sha256(b''.join(digests)).hexdigest()}"


def _part_digest(path: Path, start: int) -> bytes:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        stream.seek(start)
        left = PART_BYTES
        while chunk := stream.read(min(left, _CHUNK)):
            digest.update(chunk)
            left -= len(chunk)
    return digest.digest()


def digest_of_digests(digests: Mapping[str, str]) -> str:
    """One digest for files with these digests, by name: the digest of what `sha256sum` prints for them."""
    lines = (f"{digest.removeprefix(WHOLE)}  {name}\n" for name, digest in sorted(digests.items()))
    return content_digest("".join(lines).encode())


def content_digest(content: bytes) -> str:
    """The digest of a file with this content."""
    return f"{WHOLE}{hashlib.sha256(content).hexdigest()}"


def check(path: Path, expected: str, name: str) -> None:
    """Raise ChangedFile unless the file exists and has the digest, of either form.

    The message calls the file `name`.
    """
    if not path.is_file():
        raise ChangedFile(f"{name} is missing, though an earlier step wrote it; upload the file again")
    digest = parts_digest if expected.startswith(IN_PARTS) else file_digest
    if (found := digest(path)) != expected:
        raise ChangedFile(
            f"{name} was changed after it was written: its digest is {found}, not {expected[:80]}. "
            "Find out who changed it, then upload the file again"
        )


def check_prepared(prepared: Path, expected: str) -> Mapping[str, Any]:
    """The content of `summary.json`.

    Raises ChangedFile if it or a file that it lists was changed, or if there is any other file.
    """
    summary = prepared / "summary.json"
    check(summary, expected, summary.name)
    content: Mapping[str, Any] = json.loads(summary.read_text(encoding="utf-8"))
    for name, digest in content["digests"].items():
        check(prepared / name, digest, f"prepared/{name}")
    _refuse_others(prepared, {summary.name, *content["digests"]})
    return content


def _refuse_others(prepared: Path, known: Collection[str]) -> None:
    names = {path.relative_to(prepared).as_posix() for path in prepared.rglob("*") if path.is_file()}
    if others := sorted(names - set(known)):
        shown = ", ".join(f"prepared/{printable(name)[:100]}" for name in others[:3])
        raise ChangedFile(
            f"{shown}{' and others' * (len(others) > 3)}: no step of this run wrote that. "
            "Find out who put it there, delete it, then redrive the execution"
        )
