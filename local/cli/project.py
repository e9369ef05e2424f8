"""Where the project's files are."""

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Builds, and the note of the running `mpg up`. Tests use a separate folder, out of the user's way.
STATE_FOLDER = Path(os.environ.get("MPG_STATE_FOLDER") or ROOT / ".mpg")
# What the embedded AWS keeps for the next one.
CACHE = STATE_FOLDER / "cache"
SAMPLE = ROOT / "data" / "auto-mpg.csv"


def tool(name: str) -> str:
    """How to call a program that is installed beside this one, from the current folder."""
    ours = Path(sys.executable).parent / name
    found = shutil.which(name)
    return name if found and Path(found).samefile(ours) else _short(ours)


def shown(path: Path) -> str:
    """A path as a person would type it in the current folder."""
    return _short(path.resolve())


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
