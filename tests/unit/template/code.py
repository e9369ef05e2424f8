"""What the functions' code uses of its surroundings, read from the source: environment variables, AWS calls."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.unit.template.stack import ROOT

FUNCTIONS = ROOT / "functions"
_SERVICES = {"stepfunctions": "states"}


@cache
def modules_of(handler: str, folder: Path = FUNCTIONS) -> frozenset[str]:
    """The names of the modules in the folder that importing the handler's module brings in, itself included.

    Names are dotted, as in `handlers.review`.
    """
    found, waiting = set[str](), [handler]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [each for each in _imports(_path(folder, name)) if _path(folder, each).is_file()]
    return frozenset(found)


def source(module: str) -> str:
    """What is written in a module of the functions."""
    return _path(FUNCTIONS, module).read_text(encoding="utf-8")


def required_variables(handler: str) -> set[str]:
    """Environment variables without which a handler's code raises KeyError: `os.environ["NAME"]`."""
    found = set()
    for node in _nodes(handler):
        match node:
            case ast.Subscript(value=ast.Attribute(attr="environ"), slice=ast.Constant(value=str(name))):
                found.add(name)
    return found


def calls(handler: str) -> set[str]:
    """The IAM actions that the AWS calls in a handler's modules are named after."""
    found = set()
    for node in _nodes(handler):
        match node:
            case ast.Attribute(
                value=ast.Call(func=ast.Name(id="client"), args=[ast.Constant(str(s))]), attr=op
            ):
                if op != "get_paginator":
                    found.add(_action(s, op))
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Call(func=ast.Name(id="client"), args=[ast.Constant(str(s))]),
                    attr="get_paginator",
                ),
                args=[ast.Constant(str(op))],
            ):
                found.add(_action(s, op))
            case ast.Attribute(value=ast.Call(func=ast.Name(id="_table")), attr=op):
                found.add(_action("dynamodb", op))
    return found


def _action(service: str, operation: str) -> str:
    # No actions of their own: CopyObject reads the source and puts the target, HeadObject is a way to read.
    names = {"copy_object": "put_object", "head_object": "get_object"}
    name = names.get(operation, operation).title().replace("_", "")
    return f"{_SERVICES.get(service, service)}:{name}"


def _nodes(handler: str) -> Iterator[ast.AST]:
    for name in modules_of(handler):
        yield from ast.walk(ast.parse(source(name)))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module
                yield from (f"{module}.{name.name}" for name in names)


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name.replace('.', '/')}.py"
