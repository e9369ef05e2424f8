"""The application, built once for all tests and all workers of pytest."""

import fcntl
import shutil
from pathlib import Path

from local.cli.build import BUILDS, Build, fingerprint
from local.cli.interrupts import Interrupts
from local.cli.project import CACHE, ROOT
from local.cli.session import session


def shared_build() -> Build:
    """The build of the sources as they are, where `mpg` keeps its own; whoever needs it first makes it."""
    BUILDS.mkdir(parents=True, exist_ok=True)
    with (BUILDS / "lock-of-tests").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        build = Build(fingerprint())
        if not build.is_there:
            with session(Interrupts()) as started:
                started.build()
    return build


def give_build(state: Path) -> None:
    """Put the shared build where an mpg with this state folder looks for it."""
    build = shared_build()
    # A built template names files of the project relative to where it lies.
    (state.parent / "statemachine").symlink_to(ROOT / "statemachine")
    shutil.copytree(build.folder, state / "build" / build.folder.name, ignore=_packed)
    (state / CACHE.name).symlink_to(CACHE)


def _packed(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if f"{name}.zip" in names}
