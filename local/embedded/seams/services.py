"""Services, resource types and answers that ministack lacks."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from local.embedded import function_processes


def application() -> Callable[..., Awaitable[None]]:
    """ministack's ASGI application."""
    from ministack import app

    return app.app  # type: ignore[no-any-return]


def functions_running() -> int:
    """How many invocations of functions are under way."""
    from ministack.core import lambda_runtime

    return lambda_runtime.workers_in_use()  # type: ignore[no-any-return]


def install_warm_functions() -> None:
    """Start Python functions in forks of a warm interpreter, where the system can."""
    from ministack.core import lambda_runtime

    if function_processes.SUPPORTED:
        lambda_runtime.subprocess = function_processes.WarmSubprocess(function_processes.FunctionProcesses())


def install_service(name: str, target_prefix: str, handler: Callable[..., Any]) -> None:
    """Answer requests whose X-Amz-Target begins with `target_prefix` by `handler`."""
    from ministack import app
    from ministack.core import router

    app.SERVICE_HANDLERS[name] = handler
    router.SERVICE_PATTERNS[name] = {"target_prefixes": [target_prefix], "host_patterns": []}


def install_resource_type(name: str, handlers: Mapping[str, Callable[..., Any]]) -> None:
    """Teach CloudFormation a resource type."""
    from ministack.services.cloudformation import provisioners

    provisioners._RESOURCE_HANDLERS[name] = dict(handlers)


def install_copy_checksums() -> None:
    """Let CopyObject compute the checksum that it is asked for, and tell it, as S3 does."""
    from ministack.services import s3

    original = s3._copy_object

    def copy_object(bucket_name: str, dest_key: str, headers: Mapping[str, str]) -> Any:
        asked = headers.get("x-amz-checksum-algorithm")
        if not asked:
            return original(bucket_name, dest_key, headers)
        # ministack reads the name that this header has in PutObject.
        status, answered, body = original(
            bucket_name, dest_key, {**headers, "x-amz-sdk-checksum-algorithm": asked}
        )
        if status == 200:
            checksum = s3._buckets[bucket_name]["objects"][dest_key]["checksums"][asked.upper()]
            tag = f"Checksum{asked.upper()}"
            body = body.replace(
                b"</CopyObjectResult>", f"<{tag}>{checksum}</{tag}></CopyObjectResult>".encode()
            )
        return status, answered, body

    s3._copy_object = copy_object


def publish_events(entries: Sequence[Mapping[str, Any]]) -> None:
    """Put events of a service that is not ministack's own, such as aws.sagemaker. No client may do so."""
    from ministack.services import eventbridge

    eventbridge._put_events({"Entries": list(entries)}, allow_aws_source=True)
