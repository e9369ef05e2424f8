"""Shared by every workload's inference.py: its exceptions, and the check that the bundle was evaluated.

Standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from common.digests import content_digest, digest_of_digests, file_digest

# Environment variable of a model or package: the result that `files_digest` must return.
FILES_DIGEST = "MODEL_FILES_DIGEST"


class UnusableModel(ValueError):
    """The model folder is damaged, or was made for another version."""


class BadRequest(ValueError):
    """A record is invalid; the message names it."""


class UnsupportedContentType(ValueError):
    """The body has a media type that the model does not read."""


class UnacceptableType(ValueError):
    """The caller accepts no media type that the model writes."""


def media_type(content_type: str) -> str:
    """`text/csv` of `Text/CSV; charset=utf-8`."""
    return content_type.partition(";")[0].strip().lower()


def accepted(accept: str) -> list[str]:
    """The media types of an Accept header, in its order."""
    return [media_type(kind) for kind in accept.split(",")]


def files_digest(folder: Path, model_files: Iterable[str], code: Mapping[str, bytes] | None = None) -> str:
    """The digest of an unpacked bundle: of `model_files` and its code, which is in the folder unless given.

    Raises UnusableModel if a file is missing. Ignores files that the container or Python adds.
    """
    names = list(model_files)
    if code is None:
        names += [path.relative_to(folder).as_posix() for path in (folder / "code").rglob("*.py")]
    try:
        digests = {name: file_digest(folder / name) for name in names}
    except FileNotFoundError as error:
        raise UnusableModel(f"{Path(error.filename).name} is missing") from None
    return digest_of_digests(digests | {name: content_digest(each) for name, each in (code or {}).items()})


def refuse_changed_files(folder: Path, model_files: Iterable[str]) -> None:
    """Raise UnusableModel if the environment has a digest and the bundle another one.

    An attacker who changes the code can remove this check; the digest of the whole archive detects that.
    """
    expected = os.environ.get(FILES_DIGEST)
    if expected and files_digest(folder, model_files) != expected:
        raise UnusableModel("its files are not those that were evaluated")
