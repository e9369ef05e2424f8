"""Fetches a script's code and installs its requirements."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from local.sagemaker.engines import pip
from local.sagemaker.engines.archives import BadArchive, unpack
from local.sagemaker.engines.toolkit.settings import Settings
from local.sagemaker.engines.toolkit.toolkits import Toolkit, UserError, called_process_error


def fetch(settings: Settings, archive: str) -> Path:
    """Add the submitted code to the code folder, and return that folder.

    ``archive`` is the file from S3, if the code is there. Raises UserError, and OSError for an invalid path.
    """
    code = settings.root / "code"
    code.mkdir(exist_ok=True)
    if any(code.iterdir()):
        return code
    submitted = settings.submitted
    if submitted.startswith("s3://"):
        if not archive:
            raise UserError(
                f"Framework Error: \nsagemaker_submit_directory {submitted} cannot be read: network "
                "isolation leaves this job no way to S3. Give the code as a channel."
            )
        _unpack(Path(archive), submitted, code)
        return code
    source = Path(submitted)
    if source.is_dir():
        if source != code:
            shutil.copytree(source, code, dirs_exist_ok=True)
    elif tarfile.is_tarfile(source):
        _unpack(source, submitted, code)
    else:
        shutil.copy2(source, code)
    return code


def _unpack(archive: Path, name: str, code: Path) -> None:
    try:
        with archive.open("rb") as file:
            unpack(file, code)
    except BadArchive as error:
        raise UserError(f"Framework Error: \n{name} could not be unpacked: {error}") from error


def refuse_outside(code: Path, program: str) -> None:
    """Raise UserError for a script outside of the code folder."""
    if not program:
        raise UserError("Framework Error: \nno script is named; give the hyperparameter sagemaker_program.")
    if not (code / program).resolve().is_relative_to(code.resolve()):
        raise UserError(f"Framework Error: \nsagemaker_program {program} is not in the code folder.")


def is_package(code: Path, program: str) -> bool:
    """Whether the script is a module of a package that pip must install."""
    return (code / "setup.py").exists() and not program.endswith(".sh")


def install(toolkit: Toolkit, code: Path, program: str, *, isolated: bool) -> list[str]:
    """Install the code's requirements; returns the folders of the packages. Raises UserError."""
    requirements = ["-r", "requirements.txt"] if (code / "requirements.txt").exists() else []
    if toolkit.packages:
        pip.make_package(code, program.removesuffix(".py"))
    if toolkit.packages or is_package(code, program):
        kind, options = "InstallModuleError", [".", *requirements]
    elif requirements and program.endswith(".py"):
        kind, options = "InstallRequirementsError", requirements
    else:
        return []
    try:
        return [str(pip.install(options, code, isolated=isolated))]
    except pip.PipFailed as failed:
        error = called_process_error(toolkit, kind, failed.command, failed.code)
        raise error if isolated else UserError(f"{error}\n{pip.NO_NETWORK}") from None
