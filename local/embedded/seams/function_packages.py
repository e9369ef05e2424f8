"""Packages of functions and layers, of which the emulator keeps a copy in memory for each that has one."""

from collections.abc import Callable, Iterator
from typing import Any

from local.embedded.function_code import Packages

Handler = Callable[..., Any]
# What CloudFormation does to these types reads a package.
_READERS = {"AWS::Lambda::Function": ("create", "update"), "AWS::Lambda::LayerVersion": ("create",)}


def install_packages(packages: Packages) -> None:
    """Keep them as `packages` does, each of them once."""
    from ministack.services import lambda_svc
    from ministack.services.cloudformation import provisioners

    for kind, actions in _READERS.items():
        handlers = provisioners._RESOURCE_HANDLERS[kind]
        for action in actions:
            handlers[action] = _then_keep(handlers[action], packages)
    original = lambda_svc.handle_request

    async def handle(method: str, *arguments: Any) -> Any:
        try:
            return await original(method, *arguments)
        finally:
            if method != "GET":
                _keep(packages)

    lambda_svc.handle_request = handle


def install_references(packages: Packages) -> None:
    """Let a process start from a reference to its package, which may be unpacked already, not from a copy."""
    from ministack.core import lambda_runtime

    original = lambda_runtime.Worker._spawn

    def spawn(worker: Any) -> None:
        package = worker.code_zip
        worker.code_zip = packages.reference(package)
        try:
            original(worker)
        finally:
            worker.code_zip = package

    lambda_runtime.Worker._spawn = spawn


def _then_keep(original: Handler, packages: Packages) -> Handler:
    def handler(*arguments: Any, **more: Any) -> Any:
        try:
            return original(*arguments, **more)
        finally:
            _keep(packages)

    return handler


def _keep(packages: Packages) -> None:
    for record, name in _records():
        package = record.get(name)
        kept = packages.kept(package)
        # Unless it has another one by now.
        if kept is not package and record.get(name) is package:
            record[name] = kept
    packages.rest()


def _records() -> Iterator[tuple[dict[str, Any], str]]:
    from ministack.services import lambda_svc

    for function in list(lambda_svc._functions.values()):
        for record in (function, *function["versions"].values()):
            yield record, "code_zip"
    for layer in list(lambda_svc._layers.values()):
        for version in layer["versions"]:
            yield version, "_zip_data"
