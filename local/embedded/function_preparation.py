"""Prepares a package of functions when it arrives, as Lambda does before a new function becomes active.

Unpacking hundreds of files and importing the libraries among them takes longer than most first calls. While a
stack is deployed, a core is free for it.
"""

import mmap
import tempfile
from contextlib import suppress
from pathlib import Path
from zipfile import BadZipFile

from local.embedded.function_code import Packages, SharedZips
from local.embedded.function_processes import FunctionProcesses


def prepare(
    package: mmap.mmap, packages: Packages, zips: SharedZips, processes: FunctionProcesses | None
) -> None:
    """Do what a first call would do before it imports the function, with a script that does nothing."""
    with tempfile.TemporaryDirectory() as folder, suppress(BadZipFile, OSError):
        archive, code, script = (Path(folder) / name for name in ("code.zip", "code", "nothing.py"))
        archive.write_bytes(packages.reference(package))
        code.mkdir()
        # What is no archive is reported by the first call.
        with zips.ZipFile(str(archive)) as unpacking:
            unpacking.extractall(code)
        if processes:
            script.touch()
            process = processes.start(str(script), str(code), {})
            with process.stdin, process.stdout, process.stderr:
                process.wait()
