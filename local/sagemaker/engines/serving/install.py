"""Installs a served script with pip, as sagemaker_containers 2.8.6 does in AWS's images before serving."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from local.sagemaker.engines import pip
from local.sagemaker.engines.archives import unpack


class InstallModuleError(Exception):
    """pip could not install the script; its output has the reason."""


def install(submitted: str, code: Path, name: str, *, isolated: bool) -> None:
    """Copy the submitted folder to `code`, make it a package called `name`, and let this process import it.

    Raises InstallModuleError.
    """
    _fetch(submitted, code)
    pip.make_package(code, name)
    requirements = ["-r", "requirements.txt"] if (code / "requirements.txt").exists() else []
    try:
        pip.install([".", *requirements], code, isolated=isolated)
    except pip.PipFailed as failed:
        message = f'InstallModuleError:\nCommand "{failed.command}"'
        raise InstallModuleError(message if isolated else f"{message}\n{pip.NO_NETWORK}") from failed


def _fetch(submitted: str, code: Path) -> None:
    if any(code.iterdir()) or Path(submitted) == code:
        return
    source = Path(submitted)
    if source.is_dir():
        shutil.copytree(source, code, dirs_exist_ok=True)
    elif source.is_file() and tarfile.is_tarfile(source):
        with source.open("rb") as archive:
            unpack(archive, code)
    else:
        raise FileNotFoundError(f"SAGEMAKER_SUBMIT_DIRECTORY {submitted} is neither a folder nor an archive")
