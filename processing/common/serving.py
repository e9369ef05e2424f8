"""What every workload's inference.py shares: how it refuses, and that a bundle is the one that was evaluated.

Standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from common.digests import folder_digest

# In the environment of a model or package: what `files_digest` has to find.
FILES_DIGEST = "MODEL_FILES_DIGEST"


class UnusableModel(ValueError):
    """The model folder is damaged, or was made for another version."""


class BadRequest(ValueError):
    """A record cannot be predicted; the message names it."""


class UnsupportedContentType(ValueError):
    """The body is of a type that is not read."""


class UnacceptableType(ValueError):
    """The caller accepts no type that can be given."""


def media_type(content_type: str) -> str:
    """`text/csv` of `Text/CSV; charset=utf-8`."""
    return content_type.partition(";")[0].strip().lower()


def accepted(accept: str) -> list[str]:
    """The media types of an Accept header, in its order."""
    return [media_type(kind) for kind in accept.split(",")]


def files_digest(folder: Path, model_files: Iterable[str]) -> str:
    """The digest of all that an unpacked bundle consists of: `model_files` and the code.

    Raises UnusableModel if a file is missing. What the container or Python writes beside them does not count.
    """
    code = (path.relative_to(folder) for path in (folder / "code").rglob("*.py"))
    try:
        return folder_digest(folder, [*model_files, *(path.as_posix() for path in code)])
    except FileNotFoundError as error:
        raise UnusableModel(f"{Path(error.filename).name} is missing") from None


def refuse_changed_files(folder: Path, model_files: Iterable[str]) -> None:
    """Raise UnusableModel unless the bundle is the one that was evaluated, where the environment names that.

    Whoever changes the code as well can leave this out; the digest of the whole archive reveals that.
    """
    expected = os.environ.get(FILES_DIGEST)
    if expected and files_digest(folder, model_files) != expected:
        raise UnusableModel("its files are not those that were evaluated")
