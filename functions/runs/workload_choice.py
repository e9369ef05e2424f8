"""Chooses an upload's workload: the folder under `incoming/`, or else the stack's default."""

from collections.abc import Mapping
from dataclasses import dataclass

from common.text import quote
from common.uploads import BadUpload
from common.workload import Workload
from shared.text import one_line

INCOMING = "incoming/"
LONGEST_NAME = 256


@dataclass(frozen=True)
class Choice:
    """A workload, and the one of its suffixes with which the file's name ends, in any case."""

    workload: Workload
    suffix: str


def choose(key: str, workloads: Mapping[str, Workload], default: str) -> Choice:
    """The workload of `incoming/<workload>/.../<file>` or `incoming/<file>`.

    Raises BadUpload for a folder without a workload and for a suffix that the workload does not accept; the
    message lists where to upload which files.
    """
    name, places = one_line(key, LONGEST_NAME), places_for_uploads(workloads, default)
    folder, in_folder, _ = key.removeprefix(INCOMING).partition("/")
    if in_folder and folder not in workloads:
        raise BadUpload(f"{name}: there is no workload {quote(folder)}. {places}")
    if key.endswith("/"):
        raise BadUpload(f"{name}: this is a folder. {places}")
    workload = workloads[folder if in_folder else default]
    for suffix in sorted(workload.suffixes, key=len, reverse=True):
        if key.lower().endswith(suffix):
            return Choice(workload, suffix)
    why = "takes" if in_folder else f"gets the files in {INCOMING} itself and takes"
    raise BadUpload(f"{name}: {workload.name} {why} {' or '.join(workload.suffixes)}. {places}")


def places_for_uploads(workloads: Mapping[str, Workload], default: str) -> str:
    """`Upload .csv to incoming/ or incoming/one/, .parquet to incoming/two/.`"""
    places = [
        f"{' or '.join(workload.suffixes)} to {f'{INCOMING} or ' if name == default else ''}{INCOMING}{name}/"
        for name, workload in workloads.items()
    ]
    return f"Upload {', '.join(places)}."
