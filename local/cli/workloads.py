"""Which workload a file on this machine is for, and where in the bucket it starts that one."""

from __future__ import annotations

from pathlib import Path

from common.workload import UnknownWorkload, Workload, find_workload, find_workloads


class WrongWorkload(Exception):
    """The file, the workload or the threshold do not go together; the text says what does."""


def check_choice(file: Path, name: str | None, threshold: float | None) -> None:
    """Refuse what no workload takes, before anything is started. Raises WrongWorkload."""
    candidates = _candidates(file, name)
    if threshold is not None and not any("parameter" in each.settings["gate"] for each in candidates):
        raise WrongWorkload(
            f"no stack parameter sets the gate of {candidates[0].name}; its limit is in its workload.json"
        )


def choose(file: Path, name: str | None, default: str) -> Workload:
    """The workload that was asked for, else the one that takes such files, the default first.

    Raises WrongWorkload.
    """
    candidates = {each.name: each for each in _candidates(file, name)}
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    if default in candidates:
        return candidates[default]
    raise WrongWorkload(f"{', '.join(candidates)} take {file.suffix} files; choose one with --workload")


def key_of(file: Path, workload: Workload, default: str) -> str:
    """The key under which the file starts the workload."""
    folder = "" if workload.name == default else f"{workload.name}/"
    return f"incoming/{folder}{file.name}"


def tuned_names(workload: Workload) -> list[str]:
    """The hyperparameters in which the trials of its tuning differ, sorted."""
    kinds = workload.settings["tuning"]["ranges"].values()
    return sorted(searched["Name"] for kind in kinds for searched in kind)


def _candidates(file: Path, name: str | None) -> list[Workload]:
    if name is None:
        found = [each for each in find_workloads().values() if file.suffix in each.suffixes]
    else:
        try:
            found = [each for each in [find_workload(name)] if file.suffix in each.suffixes]
        except UnknownWorkload as unknown:
            raise WrongWorkload(str(unknown)) from None
    if not found:
        raise WrongWorkload(f"{file.name!r} is of no kind that starts a run: {_what_is_taken()}")
    return found


def _what_is_taken() -> str:
    return "; ".join(f"{each.name} takes {', '.join(each.suffixes)}" for each in find_workloads().values())
