"""`sam build`, skipped while none of its inputs has changed."""

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from deploy.problems import Trouble
from local.cli.project import ROOT, STATE_FOLDER

BUILDS = STATE_FOLDER / "build"
# Another command may still be deploying an older build.
OLD_BUILDS_KEPT = 1

# pyproject.toml has settings of uv, which installs the Lambdas' dependencies.
SOURCES = (
    "template.yaml",
    "stacks",
    "samconfig.toml",
    "pyproject.toml",
    "statemachine",
    "functions",
    "processing",
)


def fingerprint(root: Path = ROOT) -> str:
    """A hash of all inputs of a build: the application's files and the tools' versions.

    Raises Trouble if the SAM CLI, which `pip install` leaves out, is missing.
    """
    try:
        sam = version("aws-sam-cli")
    except PackageNotFoundError as error:
        raise Trouble(
            "The SAM CLI is not installed beside mpg", "`make setup` installs all of the lock."
        ) from error
    digest = hashlib.sha256()
    digest.update(f"sam {sam}, python {sys.version_info[:2]}".encode())
    for path in _files(root):
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _files(root: Path) -> Iterator[Path]:
    for source in SOURCES:
        path = root / source
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)


class Build:
    """One build of the application, in a folder that is either complete or absent.

    The build is made in a folder beside its final place and moved there when it is complete. An interruption
    thus never leaves a half-written folder that looks like a build.
    """

    def __init__(self, key: str, builds: Path = BUILDS) -> None:
        self._builds = builds
        self.folder = builds / key
        self._partial = builds / f".{key}.{os.getpid()}"

    @property
    def template(self) -> Path:
        """The built template, for `sam deploy --use-json`."""
        return self.folder / "app" / "template.json"

    @property
    def is_there(self) -> bool:
        return self.template.is_file()

    def arguments(self, root: Path = ROOT) -> list[str]:
        """What `sam` is called with to fill the folder beside the final place.

        That folder is as deep as the final one, because the built template names files relative to itself.
        """
        self._partial.mkdir(parents=True, exist_ok=True)
        return [
            *("build", "--config-env", "local", "--template-file", str(root / "template.yaml")),
            *("--build-dir", str(self.unpacked.parent)),
        ]

    @property
    def unpacked(self) -> Path:
        """The template that this makes, to be packed before the build is finished."""
        return self._partial / "app" / "template.yaml"

    @property
    def variables(self) -> dict[str, str]:
        """The variables for that: jobs run on this interpreter here, not on that of the containers."""
        return {"WHEELS_PYTHON": sys.executable}

    def finish(self) -> None:
        """Move the finished build to its final place and remove old builds."""
        # This fails if another command has put the same build there in the meantime.
        with suppress(OSError):
            self._partial.rename(self.folder)
        self.discard()
        others = sorted(
            (path for path in self._builds.iterdir() if path.is_dir() and path != self.folder),
            key=lambda path: path.stat().st_mtime,
            reverse=True,
        )
        for path in others[OLD_BUILDS_KEPT:]:
            _remove_if_old(path)

    def discard(self) -> None:
        """Remove the files of an unfinished build."""
        shutil.rmtree(self._partial, ignore_errors=True)


def _remove_if_old(path: Path) -> None:
    an_hour_ago = time.time() - 3600
    if path.stat().st_mtime < an_hour_ago:
        shutil.rmtree(path, ignore_errors=True)
