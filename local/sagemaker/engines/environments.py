"""Installs the interpreters of images whose libraries this one lacks, each when a job first needs it.

``python -m local.sagemaker.engines.environments pytorch`` installs one in advance. They are in the folder
``MPG_ENVIRONMENTS``, by default ``.mpg/environments``, each under a name with the hash of its package list.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from local.sagemaker.engines.interpreter import Python

_ROOT = Path(__file__).resolve().parents[3]
GIGABYTE = 10**9
_POLL_SECONDS = 0.2
_LAST_LINES = 20


class EnvironmentMissing(Exception):
    """An environment was not installed; the message says why and what to do, ``details`` has the output."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


@dataclass(frozen=True)
class Environment:
    """An interpreter with its hash-pinned package list, its size on Linux (elsewhere it is smaller), the most
    space that its installation needs, and the modules that it imports before its first job."""

    name: str
    title: str
    lock: Path
    gigabytes: float
    room: float
    preload: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """The environment's folder, which may not exist yet."""
        digest = hashlib.sha256(self.lock.read_bytes()).hexdigest()
        return environments_folder() / f"{self.name}-{digest[:12]}"

    @property
    def python(self) -> Python:
        """The path of its interpreter, which may not exist yet."""
        return Python(self.folder / "bin/python", self.preload)


ENVIRONMENTS = {
    "pytorch": Environment(
        name="pytorch",
        title="PyTorch",
        lock=_ROOT / "requirements-pytorch.lock",
        gigabytes=5.7,
        room=12.0,
        preload=(
            "numpy",
            "PIL.Image",
            "pyarrow.parquet",
            "pandas",
            "sklearn.metrics",
            "torch",
            "torch.utils.data",
            # Every optimizer imports it, which takes a second.
            "torch._dynamo",
        ),
    )
}


def environments_folder() -> Path:
    """The folder of all environments."""
    return Path(os.environ.get("MPG_ENVIRONMENTS") or _ROOT / ".mpg/environments").resolve()


def make(
    environment: Environment,
    say: Callable[[str], None],
    check: Callable[[], None] = lambda: None,
) -> Python:
    """The environment's interpreter. Installs it if it is missing, which takes minutes.

    Calls ``say`` with a line for people before the installation, and ``check`` repeatedly during it, which
    ends it by raising. A second caller waits for the first. Raises EnvironmentMissing, and removes a partial
    installation.
    """
    folder = environment.folder
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder.parent / f"{environment.name}.lock", check):
            if not folder.exists():
                _install(environment, folder, say, check)
    return environment.python


@contextlib.contextmanager
def _alone(path: Path, check: Callable[[], None]) -> Iterator[None]:
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                check()
                time.sleep(_POLL_SECONDS)
        yield


def _install(
    environment: Environment, folder: Path, say: Callable[[str], None], check: Callable[[], None]
) -> None:
    prefix = f".{environment.name}-"
    # Left by an installation whose process was killed.
    for left in folder.parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    refuse_full_disk(environment)
    say(
        f"Installing {environment.title} for its images: {environment.gigabytes} GB on Linux, once, "
        f"into {folder}"
    )
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent) as temporary:
        made = Path(temporary) / "environment"
        uv = Path(sys.executable).with_name("uv")
        _run(environment, [str(uv), "venv", "--relocatable", "--python", sys.executable, str(made)], check)
        python = str(made / "bin/python")
        sync = [str(uv), "pip", "sync", "--require-hashes", "--python", python, str(environment.lock)]
        _run(environment, sync, check)
        made.rename(folder)


def refuse_full_disk(environment: Environment) -> None:
    """Raise EnvironmentMissing if there is no room to install it."""
    folder = next(path for path in environment.folder.parents if path.exists())
    free = shutil.disk_usage(folder).free / GIGABYTE
    if free < environment.room:
        raise EnvironmentMissing(
            f"{environment.title} is not installed, and its installation takes up to "
            f"{environment.room:.0f} GB of disk: {folder} has {free:.1f} GB. "
            "Free some, or name another folder in MPG_ENVIRONMENTS."
        )


def _run(environment: Environment, command: list[str], check: Callable[[], None]) -> None:
    with tempfile.TemporaryFile("w+") as output:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)  # noqa: S603 - uv, with a list of our own
        except OSError as error:
            raise _failed(environment, f"{command[0]}: {error.strerror}") from None
        try:
            while (code := _wait(process)) is None:
                check()
        finally:
            process.kill()
            process.wait()
        if code:
            output.seek(0)
            raise _failed(environment, "\n".join(output.read().splitlines()[-_LAST_LINES:]))


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(_POLL_SECONDS)
    return None


def _failed(environment: Environment, details: str) -> EnvironmentMissing:
    return EnvironmentMissing(
        f"{environment.title} is not installed, and could not be: its packages come from the package index, "
        "once. With a connection and room on the disk the next job tries again; so does "
        f"`python -m local.sagemaker.engines.environments {environment.name}`.",
        details,
    )


def main(name: str) -> int:
    """Install an environment in advance; returns the exit code."""
    try:
        print(make(ENVIRONMENTS[name], lambda line: print(line, flush=True)).executable)
    except EnvironmentMissing as missing:
        print(*filter(None, (missing.details, missing)), sep="\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in ENVIRONMENTS:
        sys.exit(f"Name one of: {', '.join(ENVIRONMENTS)}")
    sys.exit(main(sys.argv[1]))
