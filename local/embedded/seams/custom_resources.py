"""Functions behind custom resources of CloudFormation."""

from typing import Any


def install_custom_resources() -> None:
    """End the processes of such a function after each answer: its next call is a deployment away, and
    until then they would keep the memory of all that they published."""
    from ministack.services.cloudformation import custom_resource

    original = custom_resource.invoke_custom_resource

    def invoke(request_type: str, logical_id: str, props: dict[str, Any], *rest: Any, **more: Any) -> Any:
        try:
            return original(request_type, logical_id, props, *rest, **more)
        finally:
            _end_idle(str(props.get("ServiceToken", "")))

    custom_resource.invoke_custom_resource = invoke


def _end_idle(function: str) -> None:
    """End the function's processes, but for those that handle another call."""
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    *_, name = lambda_svc._get_func_record_for_ref(function)
    with lambda_runtime._lock:
        pools = [pool for pool in lambda_runtime._workers.values() if pool and pool[0].func_name == name]
        idle = [worker for pool in pools for worker in pool if not worker.in_use]
        for pool in pools:
            pool[:] = [worker for worker in pool if worker.in_use]
    lambda_runtime.kill_workers(idle)
