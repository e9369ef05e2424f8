"""Collects the wheels of requirements.txt: `python3 collect.py containers|this FOLDER`.

`containers` are those of SageMaker's images, `this` is the interpreter that runs this script. pip refuses a
file whose hash is not in the list. What no job needs is then left out: it is half of the bytes, which every
deployment and every evaluation would carry. The next build takes the wheels from a cache, without a network.
Standard library only.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

_HERE = Path(__file__).parent
REQUIREMENTS = _HERE / "requirements.txt"
# Python 3.12 on x86-64, with glibc 2.28 or later, which the images' pyarrow needs, too. pip has to be told
# every older version.
_CONTAINERS = [
    *("--implementation", "cp", "--python-version", "3.12"),
    *(f"--platform=manylinux_2_{minor}_x86_64" for minor in (28, 27, 17)),
    "--platform=manylinux2014_x86_64",
]
OPTIONS = {"containers": _CONTAINERS, "this": []}
# The libraries' own tests and sources, onnxruntime for C programs, and packages that no library imports by
# itself: four of five files, which every evaluation would unpack.
_NEEDLESS = re.compile(
    r"/tests?/|/libonnxruntime\.so|\.(h|cc|cmake|in|proto3?|pyi)$"
    r"|^onnx/(backend|bin|fuzz|reference|tools)/"
    r"|^onnxruntime/(backend|datasets|quantization|tools|transformers)/"
)
_MODULE = '"""The wheels that are published with the workloads\' code."""\n'


def cached(target: str, requirements: Path = REQUIREMENTS) -> Path:
    """The folder of the cache with the wheels, which is filled if it does not exist."""
    interpreter = f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}" if target == "this" else target
    recipe = f"{interpreter} {OPTIONS[target]} {_NEEDLESS.pattern}".encode()
    digest = hashlib.sha256(recipe + requirements.read_bytes())
    folder = _cache() / digest.hexdigest()[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
            _download(target, requirements, Path(partial) / "whole")
            (Path(partial) / "wheels").mkdir()
            for wheel in sorted((Path(partial) / "whole").iterdir()):
                leave_out_needless(wheel, Path(partial) / "wheels" / wheel.name)
            # Another build may have been faster.
            if not folder.exists():
                (Path(partial) / "wheels").rename(folder)
    return folder


def leave_out_needless(whole: Path, wheel: Path) -> None:
    """Write a wheel without what no job needs; the same file always gives the same bytes."""
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(wheel, "w") as archive:
        for member in source.infolist():
            if not _NEEDLESS.search(member.filename):
                archive.writestr(member, source.read(member))


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mpg" / "wheels"


def _download(target: str, requirements: Path, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    verified = ["--no-deps", "--only-binary=:all:", "--require-hashes", f"--requirement={requirements}"]
    subprocess.run([*pip, *verified, *OPTIONS[target], f"--dest={folder}"], check=True)  # noqa: S603 - pip, with a list of our own


def main(target: str, folder: Path) -> None:
    """Put the wheels into a folder that can be imported, where the function finds them."""
    shutil.copytree(cached(target), folder)
    (folder / "__init__.py").write_text(_MODULE, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
