"""Digests of the code that each step of a workload runs, by which a run recognizes results that it can reuse.

A step's digest covers the modules that its entry points import, directly or not, and the workload's data
files. It is computed from the text of the imports; code that imports by a name known only when it runs counts
as importing everything.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from common.workload import FILE
from workload_files import BadWorkload

Files = Mapping[str, bytes]


def step_digests(name: str, settings: Mapping[str, Any], code: Files, wheels: Files) -> dict[str, str]:
    """The digests by step: `preprocess`, `tune` and `evaluate`.

    `code` holds the packed files and `wheels` the published ones, by path. Raises BadWorkload.
    """
    program = settings["training"]["program"]
    preparing = ["__main__.py", "common/preprocessing.py", f"{name}/preprocess.py"]
    # The evaluation packs all modules into the bundle, to serve the model.
    own = {path: content for path, content in code.items() if path.split("/")[0] in (name, "common")}
    modules = {path: content for path, content in own.items() if path.endswith(".py")}
    wheels = wheels if settings["evaluation"]["wheels"] else {}
    data = {
        path: content
        for path, content in own.items()
        if path.startswith(f"{name}/") and path not in modules and path != f"{name}/{FILE}"
    }
    return {
        "preprocess": digest({**_imported(preparing, code, modules), **data}),
        "tune": digest({**_imported([program], code, modules), **data} if program else {}),
        "evaluate": digest({"__main__.py": code["__main__.py"], **modules, **data, **wheels}),
    }


def digest(files: Files) -> str:
    """64 hex digits that depend on every file's name and content."""
    found = hashlib.sha256()
    for name, content in sorted(files.items()):
        found.update(f"{name}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


def _imported(entries: Iterable[str], code: Files, everything: Files) -> dict[str, bytes]:
    """The entry points and all that they import, directly or not."""
    found: dict[str, bytes] = {}
    waiting = list(entries)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found[path] = code[path]
        names = _imports(path, code[path])
        # What run.py and common/ import by name is among the entry points.
        if "importlib" in names and path != "__main__.py" and not path.startswith("common/"):
            return {**found, **everything}
        waiting += [file for name in names for file in _files(name) if file in code]
    return found


# Steps and workloads share modules; parsing each for every one of them took most of the time.
@cache
def _imports(path: str, content: bytes) -> frozenset[str]:
    """The dotted names that a module may import, with the packages above them."""
    try:
        tree = ast.parse(content)
    except SyntaxError as error:
        raise BadWorkload(f"{path}, line {error.lineno}: this is no Python: {error.msg}") from None
    return frozenset(_names(path, tree))


def _names(path: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                names = [alias.name for alias in node.names]
            case ast.ImportFrom():
                module = _absolute(path, node)
                names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
            case ast.Name(id="__import__"):
                names = ["importlib"]
            case _:
                continue
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:length]) for length in range(1, len(parts) + 1))


def _absolute(path: str, node: ast.ImportFrom) -> str:
    """The module named in `from ... import`, which may be relative to its own."""
    package = PurePosixPath(path).parts[: -node.level] if node.level else ()
    return ".".join([*package, *filter(None, [node.module])])


def _files(module: str) -> tuple[str, str]:
    path = module.replace(".", "/")
    return f"{path}.py", f"{path}/__init__.py"
