"""The endpoints that a stack's releases made, and what belongs to them. CloudFormation knows none of it."""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from deploy.belongings import Clients, missing
from deploy.jobs import Pause
from deploy.problems import Trouble
from shared.jobs import LARGEST_PAGES

_ALARMS = ("errors", "latency")


def existing(sagemaker: Any, names: Iterable[str]) -> list[str]:
    """Those of the endpoints that exist."""
    return [name for name in names if _status(sagemaker, name)]


def delete_endpoints(
    clients: Clients, names: Iterable[str], *, pause: Pause = time.sleep, seconds: float = 1200
) -> int:
    """Delete the endpoints with their scaling, alarms, configurations and models.

    Returns how many endpoints there were. Raises Trouble if one is still there after `seconds`.
    """
    sagemaker, names = clients("sagemaker"), list(names)
    found = existing(sagemaker, names)
    for name in found:
        _stop_scaling(clients("application-autoscaling"), name)
        _delete(sagemaker, name, pause, time.monotonic() + seconds)
    for name in names:
        clients("cloudwatch").delete_alarms(AlarmNames=[f"{name}-{alarm}" for alarm in _ALARMS])
        for config in _made_for(name, _listed(sagemaker, "endpoint_config", "EndpointConfigs", name)):
            sagemaker.delete_endpoint_config(EndpointConfigName=config)
        for model in _made_for(name, _listed(sagemaker, "model", "Models", name)):
            sagemaker.delete_model(ModelName=model)
    return len(found)


def _delete(sagemaker: Any, name: str, pause: Pause, deadline: float) -> None:
    while status := _status(sagemaker, name):
        if status != "Deleting":
            _unless_at_work(lambda: sagemaker.delete_endpoint(EndpointName=name))
        if time.monotonic() > deadline:
            raise Trouble(f"The endpoint {name} is still {status}", "Run this again later.")
        pause(3)


def _unless_at_work(call: Callable[[], object]) -> None:
    """An endpoint that is being created or updated may have to end that first."""
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise


def _stop_scaling(autoscaling: Any, name: str) -> None:
    try:
        autoscaling.deregister_scalable_target(
            ServiceNamespace="sagemaker",
            ResourceId=f"endpoint/{name}/variant/live",
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ObjectNotFoundException":
            raise


def _status(sagemaker: Any, name: str) -> str:
    try:
        return str(sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"])
    except ClientError as error:
        if missing(error):
            return ""
        raise


def _listed(sagemaker: Any, operation: str, member: str, name: str) -> Iterator[str]:
    name_of = {"endpoint_config": "EndpointConfigName", "model": "ModelName"}[operation]
    for page in sagemaker.get_paginator(f"list_{operation}s").paginate(
        NameContains=name, PaginationConfig=LARGEST_PAGES
    ):
        yield from (found[name_of] for found in page[member])


def _made_for(endpoint: str, names: Iterable[str]) -> list[str]:
    """The names as releases give them; another stack's may contain this endpoint's name."""
    pattern = re.compile(rf"{re.escape(endpoint)}-v\d+-[0-9a-f]{{8}}")
    return [name for name in names if pattern.fullmatch(name)]
