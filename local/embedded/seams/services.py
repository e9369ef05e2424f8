"""Services, resource types and responses that ministack lacks."""

import mmap
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

from local.embedded import function_processes
from local.embedded.function_code import Packages, SharedZips
from local.embedded.function_preparation import prepare
from local.embedded.seams.function_packages import install_packages, install_references


def application() -> Callable[..., Awaitable[None]]:
    """ministack's ASGI application."""
    from ministack import app

    return app.app  # type: ignore[no-any-return]


def functions_running() -> int:
    """The number of running function invocations."""
    from ministack.core import lambda_runtime

    return lambda_runtime.workers_in_use()  # type: ignore[no-any-return]


def install_warm_functions(folder: Path) -> None:
    """Keep each function's package once, in a file of `folder`, unpack it once, and start Python functions in
    forks of a warm interpreter, where the system can. A package is unpacked as soon as it arrives."""
    from ministack.core import lambda_runtime

    processes = function_processes.FunctionProcesses() if function_processes.SUPPORTED else None

    def arrived(package: mmap.mmap) -> None:
        Thread(target=partial(prepare, package, packages, zips, processes), daemon=True).start()

    packages = Packages(folder, arrived)
    zips = SharedZips(folder, packages)
    install_packages(packages)
    install_references(packages)
    lambda_runtime.zipfile = zips
    if processes:
        lambda_runtime.subprocess = function_processes.WarmSubprocess(processes)
        _prepare_with_change_sets(processes)


def _prepare_with_change_sets(functions: function_processes.FunctionProcesses) -> None:
    """A deployment begins with a change set, and calls its first function, for a custom resource, a second
    later."""
    from ministack.services.cloudformation import handlers

    create_change_set = handlers._ACTION_HANDLERS["CreateChangeSet"]

    def create_and_prepare(parameters: Mapping[str, Any]) -> Any:
        functions.prepare()
        return create_change_set(parameters)

    handlers._ACTION_HANDLERS["CreateChangeSet"] = create_and_prepare


def install_service(name: str, target_prefix: str, handler: Callable[..., Any]) -> None:
    """Answer requests whose X-Amz-Target begins with `target_prefix` with `handler`."""
    from ministack import app
    from ministack.core import router

    app.SERVICE_HANDLERS[name] = handler
    router.SERVICE_PATTERNS[name] = {"target_prefixes": [target_prefix], "host_patterns": []}


def install_resource_type(name: str, handlers: Mapping[str, Callable[..., Any]]) -> None:
    """Add a resource type to CloudFormation."""
    from ministack.services.cloudformation import provisioners

    provisioners._RESOURCE_HANDLERS[name] = dict(handlers)


def publish_events(entries: Sequence[Mapping[str, Any]]) -> None:
    """Put events of a service that is not part of ministack, such as aws.sagemaker. No client may do so."""
    from ministack.services import eventbridge

    eventbridge._put_events({"Entries": list(entries)}, allow_aws_source=True)
