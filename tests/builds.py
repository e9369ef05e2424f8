"""The application, built once for all tests and all workers of pytest."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from local.cli.build import BUILDS, Build, fingerprint
from local.cli.deploy import quiet_sam
from local.cli.project import ROOT

TOOLS = str(Path(sys.executable).parent)
BUILD_SECONDS = 120


def shared_build() -> Build:
    """The build of the sources as they are, where `mpg` keeps its own; whoever needs it first makes it."""
    BUILDS.mkdir(parents=True, exist_ok=True)
    with (BUILDS / "lock-of-tests").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        build = Build(fingerprint())
        if not build.is_there:
            _make(build)
    return build


def give_build(state: Path) -> None:
    """Put the shared build where an mpg with this state folder looks for it."""
    build = shared_build()
    # A built template names files of the project relative to where it lies.
    (state.parent / "statemachine").symlink_to(ROOT / "statemachine")
    shutil.copytree(build.folder, state / "build" / build.folder.name, ignore=_packed)


def _packed(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if f"{name}.zip" in names}


def _make(build: Build) -> None:
    environment = {**os.environ, "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}"}
    try:
        subprocess.run(
            build.command(),
            cwd=ROOT,
            env=environment | build.variables | quiet_sam(BUILDS / ".sam"),
            check=True,
            capture_output=True,
            timeout=BUILD_SECONDS,
        )
    except BaseException:
        build.discard()
        raise
    build.finish()
