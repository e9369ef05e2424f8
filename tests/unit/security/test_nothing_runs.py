"""No code of the pipeline makes a program, or an object that acts, out of data.

Ruff's rules S (pyproject.toml) refuse pickle, marshal, shelve, eval, exec, yaml.load, shells and unsafe unpacking
one by one; this is the short list of what the Lambdas and the jobs use at all.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.security.conftest import ROOT

SCRIPTS = sorted([*(ROOT / "functions").rglob("*.py"), *(ROOT / "processing").rglob("*.py")])
OWN = {
    path.name for folder in ("functions", "processing") for path in (ROOT / folder).iterdir() if path.is_dir()
}
LIBRARIES = {
    *("aws_lambda_powertools", "aws_xray_sdk", "boto3", "botocore"),
    *("numpy", "pandas", "sklearn", "xgboost"),
}
STANDARD = {
    "__future__", "argparse", "base64", "binascii", "bisect", "collections", "contextlib", "csv", "dataclasses", "datetime",
    "functools", "gzip", "hashlib", "importlib", "io", "itertools", "json", "logging", "math", "operator", "os", "pathlib", "re", "secrets",
    "shutil", "statistics", "sys", "tarfile", "tempfile", "textwrap", "time", "traceback", "types", "typing", "unicodedata", "urllib",
    "warnings", "xml", "zlib",
}  # fmt: skip
# Functions of those that run something, or read objects that do.
FORBIDDEN = {
    "eval", "exec", "compile", "__import__", "breakpoint", "system", "popen", "execv", "execvp", "spawnv", "fork",
    "extract", "extractall", "unpack_archive", "fromstring", "iterparse", "load_npz", "read_pickle", "to_pickle",
}  # fmt: skip


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def called(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield getattr(node.func, "id", "") or getattr(node.func, "attr", "")
            if getattr(getattr(node.func, "value", None), "id", "") == "np":
                yield f"np.{getattr(node.func, 'attr', '')}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_imported_that_unpickles_or_starts_programs(script: Path) -> None:
    assert set(imported(ast.parse(script.read_text()))) - OWN <= STANDARD | LIBRARIES
    assert sys.stdlib_module_names >= STANDARD - {"__future__"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_called_that_runs_what_it_is_given(script: Path) -> None:
    names = set(called(ast.parse(script.read_text())))
    # re.compile is the only compile; numpy's own load can unpickle.
    if "import re" in script.read_text():
        names.discard("compile")
    assert not names & (FORBIDDEN | {"np.load", "np.fromfile"})
