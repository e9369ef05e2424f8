"""Chooses what a retraining uses: the newest accepted upload, or all of them together.

An upload that was deleted or that expired is left out, and so is one that a later accepted upload replaced
under the same name. The bucket says what is there; this function cannot read a file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from common.uploads import MOST_TOGETHER
from common.workload import Workload
from retraining.accepted import Accepted, newest_first
from shared.aws import client
from shared.text import number, one_line

On = Literal["newest", "all"]
_NAMED = 3


@dataclass(frozen=True)
class Choice:
    """The uploads to use, the newest first, and what is left out of what was asked for, in words."""

    uploads: Sequence[Accepted]
    left_out: str


def choose(workload: Workload, on: On) -> Choice:
    """Choose the uploads for a retraining; none, if there is none."""
    if on == "all" and not workload.takes_several:
        newest = _choose(workload, newest_first(workload.name), most=1)
        return Choice(
            newest.uploads, _listed([newest.left_out, "all earlier files: it prepares one at a time"])
        )
    return _choose(workload, newest_first(workload.name), MOST_TOGETHER if on == "all" else 1)


def _choose(workload: Workload, accepted: Iterable[Accepted], most: int) -> Choice:
    chosen: list[Accepted] = []
    left_out: list[str] = []
    seen: set[str] = set()
    size = 0
    for upload in accepted:
        if problem := _problem(upload, seen):
            left_out.append(f"{one_line(upload.key, 128)} ({problem})")
        elif len(chosen) == most or size + upload.size > workload.max_bytes:
            limit = f"{most} files" if len(chosen) == most else f"{number(workload.max_bytes)} bytes"
            left_out.append(
                f"{one_line(upload.key, 128)} and earlier ones (at most {limit} are used together)"
            )
            break
        else:
            chosen.append(upload)
            size += upload.size
        seen.add(upload.key)
        if most == len(chosen) == 1:
            break
    return Choice(chosen, _listed(left_out))


def _problem(upload: Accepted, seen: set[str]) -> str:
    if upload.key in seen:
        return "replaced by a later upload"
    return "" if _exists(upload) else "deleted"


def _exists(upload: Accepted) -> bool:
    """Whether the version is there and its object is not deleted, which leaves the versions for some time."""
    pages = (
        client("s3").get_paginator("list_object_versions").paginate(Bucket=upload.bucket, Prefix=upload.key)
    )
    found = False
    for page in pages:
        # Names that only begin with this one follow it.
        markers = [marker for marker in page.get("DeleteMarkers", []) if marker["Key"] == upload.key]
        versions = [version for version in page.get("Versions", []) if version["Key"] == upload.key]
        if any(marker["IsLatest"] for marker in markers):
            return False
        found |= any(version["VersionId"] == upload.version_id for version in versions)
        if found or not (markers or versions):
            break
    return found


def _listed(texts: Sequence[str]) -> str:
    said = [text for text in texts if text]
    more = [f"{len(said) - _NAMED} more"] if len(said) > _NAMED else []
    return ", ".join([*said[:_NAMED], *more])
