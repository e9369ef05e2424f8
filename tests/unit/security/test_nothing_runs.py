"""No code of the pipeline turns data into a program or an active object.

Ruff's rules S (pyproject.toml) refuse pickle, marshal, shelve, eval, exec, yaml.load, shells and unsafe unpacking
one by one; this is the short list of what the Lambdas and the jobs use at all.
"""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.unit.security.conftest import ROOT

FOLDERS = [ROOT / "functions", ROOT / "processing"]
# Runs while the project is built, on the builder's machine only.
BUILDS = {ROOT / "processing" / "wheels" / "collect.py"}
SCRIPTS = sorted(path for folder in FOLDERS for path in folder.rglob("*.py") if path not in BUILDS)
# Packages, and the jobs' entry points.
OWN = {
    path.relative_to(folder).parts[0].removesuffix(".py")
    for folder in FOLDERS
    for path in folder.rglob("*.py")
}
LIBRARIES = {
    "aws_lambda_powertools", "aws_xray_sdk", "boto3", "botocore", "fastjsonschema", "jinja2", "markupsafe", "numpy", "onnx", "onnxruntime", "pandas", "PIL",
    "pyarrow", "sklearn", "torch", "xgboost",
}  # fmt: skip
STANDARD = {
    "__future__", "_csv", "argparse", "base64", "binascii", "bisect", "collections", "concurrent", "contextlib", "csv", "dataclasses", "datetime",
    "functools", "gzip", "hashlib", "heapq", "http", "importlib", "io", "itertools", "json", "logging", "math", "mmap", "multiprocessing", "operator", "os", "pathlib", "pkgutil", "re", "secrets",
    "shlex", "shutil", "statistics", "struct", "sys", "tarfile", "tempfile", "textwrap", "time", "traceback", "types", "typing", "unicodedata", "urllib",
    "warnings", "zipfile", "zlib",
}  # fmt: skip
# Built-in functions, and what those modules have, that run something or read objects that do.
FORBIDDEN = {"eval", "exec", "compile", "__import__", "breakpoint"}
FORBIDDEN_OF_MODULES = {
    "system", "popen", "execv", "execvp", "spawnv", "fork", "extract", "extractall", "unpack_archive", "fromstring", "iterparse",
    "load_npz", "read_pickle", "to_pickle", "fromfile",
}  # fmt: skip
# The wheels come with the code, and zipfile keeps their members in the folder. The deployment compiles its own code,
# which runs in the jobs only.
EXCEPTIONS = {("processing/common/wheels.py", "extractall"), ("processing/packing.py", "compile")}
# What only one file may import. Dask's messages are pickles: its scheduler listens on an address that only the
# job's own hosts reach. Another reads syntax trees, and runs nothing of what it reads. The last writes what it compiled.
IMPORTED_BY_ONE = {
    "processing/common/dask_cluster.py": {"asyncio", "dask", "distributed", "socket"},
    "processing/code_digests.py": {"ast"},
    "processing/packing.py": {"marshal"},
}
# Functions that unpickle unless they are told not to.
LOADS = {("np", "load"): ("allow_pickle", False), ("torch", "load"): ("weights_only", True)}


@cache
def tree_of(script: Path) -> ast.AST:
    return ast.parse(script.read_text())


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def refuses_pickles(call: ast.Call, name: str, value: bool) -> bool:
    return any(
        keyword.arg == name and getattr(keyword.value, "value", None) is value for keyword in call.keywords
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_imported_that_unpickles_or_starts_programs(script: Path) -> None:
    its_own = IMPORTED_BY_ONE.get(script.relative_to(ROOT).as_posix(), set())
    assert set(imported(tree_of(script))) - OWN <= STANDARD | LIBRARIES | its_own
    assert sys.stdlib_module_names >= STANDARD - {"__future__"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_called_that_executes_its_input(script: Path) -> None:
    path = script.relative_to(ROOT).as_posix()
    for call in calls(tree_of(script)):
        match call.func:
            case ast.Name(id=name) if (path, name) not in EXCEPTIONS:
                assert name not in FORBIDDEN | FORBIDDEN_OF_MODULES
            case ast.Attribute(value=ast.Name(id=module), attr=name) if (module, name) in LOADS:
                assert refuses_pickles(call, *LOADS[module, name])
            case ast.Attribute(attr=name) if (path, name) not in EXCEPTIONS:
                # `eval` and `compile` of an object, such as a network or a pattern, are other functions.
                assert name not in FORBIDDEN_OF_MODULES
