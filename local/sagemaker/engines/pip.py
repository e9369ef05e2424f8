"""Runs pip for a script, as AWS's toolkits do before they start it. Standard library only.

The images' pip is 26.1, which always builds in an isolated environment and fetches setuptools for it. Under
network isolation it cannot, unless the container's own environment has ``PIP_NO_BUILD_ISOLATION=0`` (0, not
1: pip reads the variable the other way round). No job has a network here. A container with a
network on AWS gets setuptools from the index; here it gets the installed setuptools, and nothing else.
"""

from __future__ import annotations

import os
import site
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

_SETUP = """
from setuptools import setup

setup(name={name!r}, version="1.0.0", packages=[""], include_package_data=True)
"""
_MANIFEST = """
recursive-include . *
recursive-exclude . __pycache__*
recursive-exclude . *.pyc
recursive-exclude . *.pyo
"""
# An older pip builds in isolation only on request.
_PIP = {
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_CACHE_DIR": "1",
    "PIP_NO_INDEX": "1",
    "PIP_USE_PEP517": "1",
    # Off, since this one is read the other way round too. The warnings would be about this machine's packages
    # instead of the image's, and to look through them all is most of pip's time.
    "PIP_NO_WARN_CONFLICTS": "0",
}
NO_NETWORK = (
    "On AWS this container is not isolated, so pip could reach an index; "
    "the local SageMaker's jobs have no network."
)


class PipFailed(Exception):
    """pip failed; its output has the reason. ``command`` is what ran, ``code`` its exit code."""

    def __init__(self, command: str, code: int) -> None:
        super().__init__(command)
        self.command = command
        self.code = code


def install(options: Sequence[str], folder: Path, *, isolated: bool) -> Path:
    """Run ``pip install <options>`` in a folder and let this process import the result.

    Returns the folder with the installed packages. Raises PipFailed.
    """
    python, packages = _environment_of_its_own(Path(tempfile.mkdtemp(prefix="installed-")))
    command = [python, "-m", "pip", "install", *options]
    # pip may read the container's variables, but not this machine's configuration files.
    environ = {"PIP_CONFIG_FILE": os.devnull, **os.environ, **_PIP}
    if not isolated:
        environ.setdefault("PIP_NO_BUILD_ISOLATION", "0")
    shown = " ".join(["python", *command[1:]])
    print(f"Installing module with the following command:\n{shown}", flush=True)
    if code := subprocess.run(command, cwd=folder, env=environ, check=False).returncode:  # noqa: S603 - the job's own
        raise PipFailed(shown, code)
    site.addsitedir(str(packages))
    return packages


def make_package(code: Path, name: str) -> None:
    """Add the files that pip needs to install a folder of scripts, unless it has a setup.py."""
    if (code / "setup.py").exists():
        return
    print(f"Module {name} does not provide a setup.py. \nGenerating setup.py")
    (code / "setup.py").write_text(_SETUP.format(name=name))
    (code / "setup.cfg").write_text("\n[wheel]\nuniversal = 1\n")
    (code / "MANIFEST.in").write_text(_MANIFEST)


def _environment_of_its_own(folder: Path) -> tuple[str, Path]:
    """A virtual environment on top of the installed packages, which pip then leaves unchanged. Returns its
    interpreter and its packages' folder."""
    venv.create(folder, symlinks=True, with_pip=False)
    at = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", at))
    (packages / "image.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return str(folder / "bin" / Path(sys.executable).name), packages
