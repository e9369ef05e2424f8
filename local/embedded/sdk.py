"""Step Functions' names for the services, actions and members of the SDK.

It takes the names from the AWS SDK for Java 2: services by their ids in lower case (`cloudwatchlogs`, `sfn`),
members in Pascal case with a leading acronym lowered (`DbClusterArn`).
https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import botocore
from botocore.model import ListShape, MapShape, OperationModel, StructureShape

from local.sagemaker.models import service_model

Naming = Callable[[str], str]
# A service's model has its id near the beginning, so four hundred models need not be read completely.
_HEAD_BYTES = 4096
_SERVICE_ID = re.compile(r'"serviceId"\s*:\s*"([^"]+)"')


@cache
def services() -> Mapping[str, str]:
    """Step Functions' name of every service of the SDK, with botocore's name for it."""
    found = {}
    for model in Path(botocore.__file__).parent.glob("data/*/*/service-2.json.gz"):
        with gzip.open(model) as content:
            head = content.read(_HEAD_BYTES).decode("utf-8", "replace")
        if service_id := _SERVICE_ID.search(head):
            found[re.sub(r"[^a-z0-9]", "", service_id[1].lower())] = model.parents[1].name
    return found


def operation(service: str, action: str) -> OperationModel | None:
    """The operation of `aws-sdk:<service>:<action>`; None if the SDK has none."""
    if service not in services():
        return None
    name = _operations(service).get(action)
    return service_model(services()[service]).operation_model(name) if name else None


@cache
def _operations(service: str) -> Mapping[str, str]:
    """A service's actions, with the API's name of each. Every task looks for one; SageMaker has hundreds."""
    names = service_model(services()[service]).operation_names
    return {_lowered(name): name for name in names}


def sdk_name(member: str) -> str:
    """A member's name in an `aws-sdk` integration: `DBClusterArn` is `DbClusterArn`, `ETag` stays."""
    return pascal(_lowered(member))


def pascal(name: str) -> str:
    """A member's name in an optimized integration."""
    return name[0].upper() + name[1:]


def _lowered(name: str) -> str:
    # All leading capitals, except the one that begins the next word.
    acronym = re.match(r"[A-Z]+(?![a-z])|[A-Z]", name)
    return name[: acronym.end()].lower() + name[acronym.end() :] if acronym else name


def members(shape: Any, name: Naming) -> dict[str, tuple[str, Any]]:
    """A structure's members by their names in Step Functions: the API's name and the shape of each."""
    if not isinstance(shape, StructureShape):
        return {}
    return {name(api): (api, member) for api, member in shape.members.items()}


def unknown_members(shape: Any, arguments: Any, name: Naming) -> Iterator[str]:
    """Members of the arguments that the API does not have, including nested ones."""
    match shape, arguments:
        case StructureShape(), dict():
            known = members(shape, name)
            for given, value in arguments.items():
                if given in known:
                    yield from unknown_members(known[given][1], value, name)
                else:
                    yield given
        case ListShape(), list():
            for item in arguments:
                yield from unknown_members(shape.member, item, name)
        case MapShape(), dict():
            for item in arguments.values():
                yield from unknown_members(shape.value, item, name)


def to_request(shape: Any, arguments: Any, name: Naming) -> Any:
    """Arguments of a task as a request of the API."""
    match shape, arguments:
        case StructureShape(), dict():
            known = members(shape, name)
            named = {given: known.get(given, (given, None)) for given in arguments}
            return {api: to_request(inner, arguments[given], name) for given, (api, inner) in named.items()}
        case ListShape(), list():
            return [to_request(shape.member, item, name) for item in arguments]
        case MapShape(), dict():
            return {key: to_request(shape.value, item, name) for key, item in arguments.items()}
        case _, dict() | list() if getattr(shape, "type_name", "") in {"string", "blob"}:
            # Where the API expects JSON text, a task may give the JSON itself.
            return json.dumps(arguments)
    return arguments


def to_result(shape: Any, answer: Any, name: Naming) -> Any:
    """A response of the API as a task's result: bodies as text, times as ISO 8601."""
    match shape, answer:
        case StructureShape(), dict():
            known = dict(shape.members)
            return {
                name(api): to_result(known[api], item, name) for api, item in answer.items() if api in known
            }
        case ListShape(), list():
            return [to_result(shape.member, item, name) for item in answer]
        case MapShape(), dict():
            return {key: to_result(shape.value, item, name) for key, item in answer.items()}
        case _, datetime():
            return answer.isoformat().replace("+00:00", "Z")
        case _, bytes():
            return answer.decode("utf-8", "replace")
        case _ if hasattr(answer, "read"):
            return answer.read().decode("utf-8", "replace")
    return answer
