"""The environment variables and AWS calls of the functions' code, read from the source."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.unit.template.stack import ROOT

FUNCTIONS, LAYER = ROOT / "functions", ROOT / "processing"
_SERVICES = {"stepfunctions": "states", "sagemaker-runtime": "sagemaker"}


@cache
def modules_of(handler: str) -> frozenset[str]:
    """The names of our own modules that importing the handler's module brings in, itself included."""
    found, waiting = set[str](), [handler]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [imported for imported in _imports(path_of(name)) if path_of(imported).is_file()]
    return frozenset(found)


def path_of(module: str) -> Path:
    """Where a module of the package or, if it is not there, of the layer would lie."""
    places = [folder / f"{module.replace('.', '/')}.py" for folder in (FUNCTIONS, LAYER)]
    return next((place for place in places if place.is_file()), places[0])


def required_variables(handler: str) -> set[str]:
    """The environment variables that a handler's code requires: `os.environ["NAME"]`."""
    found = set()
    for node in _nodes(handler):
        match node:
            case ast.Subscript(value=ast.Attribute(attr="environ"), slice=ast.Constant(value=str(name))):
                found.add(name)
    return found


def calls(handler: str) -> set[str]:
    """The IAM actions of the AWS calls in a handler's modules."""
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
    # These have no actions of their own: CopyObject reads the source and puts the target, HeadObject reads, and so
    # does whoever has a presigned URL. ListObjectsV2 lists the bucket.
    names = {
        "copy_object": "put_object",
        "head_object": "get_object",
        "generate_presigned_url": "get_object",
        "list_objects_v2": "list_bucket",
        "list_object_versions": "list_bucket_versions",
    }
    name = names.get(operation, operation).title().replace("_", "")
    return f"{_SERVICES.get(service, service)}:{name}"


def _nodes(handler: str) -> Iterator[ast.AST]:
    for name in modules_of(handler):
        yield from nodes_of(path_of(name))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """The syntax tree of a module."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def _imports(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module
                yield from (f"{module}.{name.name}" for name in names)
