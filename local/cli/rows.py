"""The rows of a file as a workload's model reads them, one line each.

A workload's module `rows` reads its files with the libraries of the image that prepares its data, so it runs
with the interpreter that has them. The lines of any other workload's file are sent as they are.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from common.workload import Workload
from deploy.problems import Trouble
from local.cli.project import ROOT
from local.cli.screen import Screen

MODULE = "rows"
REFUSED = 3
_READ = """
import importlib, sys
from pathlib import Path
from common.uploads import BadUpload
workload, path = sys.argv[1:]
try:
    for row in importlib.import_module(workload + ".rows").rows(Path(path), Path(path).name):
        print(row)
except BadUpload as bad:
    sys.exit(print(bad, file=sys.stderr) or 3)
"""


def read_rows(workload: Workload, file: Path, screen: Screen) -> list[str]:
    """Every row of the file. Raises Trouble if it is none of the workload's."""
    if not (ROOT / "processing" / workload.name / f"{MODULE}.py").is_file():
        return _lines_of(file)
    done = subprocess.run(  # noqa: S603 - our own code
        [_interpreter(workload, screen), "-c", _READ, workload.name, str(file.resolve())],
        cwd=ROOT / "processing",
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode == REFUSED:
        raise Trouble(done.stderr.strip())
    if done.returncode:
        raise Trouble(f"{file.name} could not be read", f"Is it a file of {workload.name}?")
    return done.stdout.splitlines()


def _lines_of(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise Trouble(f"{file.name} is not encoded in UTF-8") from None
    if not lines:
        raise Trouble(f"{file.name} is empty")
    return lines


def _interpreter(workload: Workload, screen: Screen) -> str:
    from local.sagemaker.engines.environments import ENVIRONMENTS, make
    from local.sagemaker.engines.images import IMAGES

    wanted = workload.settings["preprocessing"]["image"]
    found = next(image for image in IMAGES if image.repository.removeprefix("sagemaker-") == wanted)
    if not found.environment:
        return sys.executable
    return str(make(ENVIRONMENTS[found.environment], screen.line).executable)
