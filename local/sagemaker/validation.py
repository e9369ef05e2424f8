"""Checks requests against botocore's SageMaker model, with the texts of the real service.

botocore itself checks required members, types and `min`; `max`, `pattern` and `enum` are in the
model too, but only the real service checks them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.model import ServiceModel, Shape

from local.sagemaker import models
from local.sagemaker.errors import ServiceError, invalid
from local.sagemaker.patterns import java_pattern

Problems = Iterator[str]
Cleaner = Callable[[Any, Any, str], Any]

_JSON_NAMES = {str: "STRING_VALUE", bool: "TRUE_VALUE", int: "NUMBER_VALUE", float: "NUMBER_VALUE"}
_JAVA_NAMES = {
    "string": "a String",
    "integer": "an Integer",
    "long": "a Long",
    "float": "a Float",
    "double": "a Double",
    "boolean": "a Boolean",
    "timestamp": "a Timestamp",
}


def service_model() -> ServiceModel:
    """SageMaker's API as botocore knows it. The first call takes about 0.1 s."""
    return models.service_model("sagemaker")


def output_members(action: str) -> Mapping[str, Shape]:
    """The members of an action's response."""
    shape = service_model().operation_model(action).output_shape
    return shape.members if shape else {}


def check_request(action: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """The request without nulls and with timestamps as epoch seconds.

    Raises `ServiceError`: `SerializationException` for a wrong JSON type, `ValidationException` with
    every broken constraint otherwise. Unlike AWS, an unknown member is refused, not ignored.
    """
    return check_shape(service_model().operation_model(action).input_shape, request)


def check_shape(shape: Shape | None, request: Mapping[str, Any]) -> dict[str, Any]:
    """The same, for the request of any service."""
    cleaned: dict[str, Any] = _clean(shape, request, "") if shape else {}
    problems = list(_problems(shape, cleaned, "")) if shape else []
    if problems:
        count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: "
        raise invalid(count + "; ".join(problems))
    return cleaned


def _clean(shape: Shape, value: Any, path: str) -> Any:
    clean: Cleaner = _CLEANERS.get(shape.type_name, _clean_scalar)
    return clean(shape, value, path)


def _clean_structure(shape: Any, value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _serialization("Expected a structure", path, value)
    for name in value:
        if name not in shape.members:
            known = ", ".join(shape.members)
            raise invalid(f"Unknown member '{name}' at '{path or shape.name}'. Known members: {known}")
    return {
        name: _clean(shape.members[name], member, _join(path, name))
        for name, member in value.items()
        if member is not None
    }


def _clean_list(shape: Any, value: Any, path: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise _serialization("Expected a list", path, value)
    return [_clean(shape.member, item, f"{path}.{i}.member") for i, item in enumerate(value, 1)]


def _clean_map(shape: Any, value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _serialization("Expected a map", path, value)
    return {str(key): _clean(shape.value, item, f"{path}.{key}") for key, item in value.items()}


def _clean_scalar(shape: Shape, value: Any, path: str) -> Any:
    kind = shape.type_name
    # Neither NaN nor infinite, and no larger than a long.
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1 << 63
    if kind == "string" and isinstance(value, str):
        return value
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind in ("integer", "long") and number and float(value).is_integer():
        return int(value)
    if kind in ("float", "double") and number:
        return float(value)
    if kind == "timestamp" and (number or isinstance(value, str | dt.datetime)):
        return _epoch(value, path)
    raise _serialization(f"can not be converted to {_JAVA_NAMES.get(kind, kind)}", path, value)


_CLEANERS: dict[str, Cleaner] = {
    "structure": _clean_structure,
    "list": _clean_list,
    "map": _clean_map,
}


def _epoch(value: Any, path: str) -> float:
    if isinstance(value, int | float):
        return float(value)
    try:
        moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
    except ValueError:
        raise _serialization("can not be converted to a Timestamp", path, value) from None
    return moment.timestamp() if moment.tzinfo else moment.replace(tzinfo=dt.UTC).timestamp()


def _serialization(text: str, path: str, value: Any) -> ServiceError:
    name = _JSON_NAMES.get(type(value), "Start of structure, list or map")
    return ServiceError("SerializationException", f"{name} {text} at '{path}'" if path else text)


def _problems(shape: Any, value: Any, path: str) -> Problems:
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            where = _join(path, name)
            if name in value:
                yield from _problems(member, value[name], where)
            elif name in shape.required_members:
                yield f"Value null at '{where}' failed to satisfy constraint: Member must not be null"
        return
    for broken in _broken(shape, value):
        yield f"Value '{_java(value)}' at '{path}' failed to satisfy constraint: Member must {broken}"
    if shape.type_name == "list":
        for number, item in enumerate(value, 1):
            yield from _problems(shape.member, item, f"{path}.{number}.member")
    elif shape.type_name == "map":
        yield from _map_problems(shape, value, path)


def _map_problems(shape: Any, value: Mapping[str, Any], path: str) -> Problems:
    for what, part, items in (("keys", shape.key, value.keys()), ("value", shape.value, value.values())):
        if part.type_name in ("structure", "list", "map"):
            for key, item in value.items():
                yield from _problems(part, item, f"{path}.{key}.member")
        elif any(True for item in items for _ in _broken(part, item)):
            rules = ", ".join(f"Member must {rule}" for rule in _rules(part))
            yield (
                f"Value '{_java(value)}' at '{path}' failed to satisfy constraint: "
                f"Map {what} must satisfy constraint: [{rules}]"
            )


def _broken(shape: Any, value: Any) -> Problems:
    size, unit = (len(value), "length") if hasattr(value, "__len__") else (value, "value")
    limits = shape.metadata
    if "max" in limits and size > limits["max"]:
        yield f"have {unit} less than or equal to {limits['max']}"
    if "min" in limits and size < limits["min"]:
        yield f"have {unit} greater than or equal to {limits['min']}"
    if "pattern" in limits and not java_pattern(limits["pattern"]).fullmatch(value):
        yield f"satisfy regular expression pattern: {limits['pattern']}"
    if "enum" in limits and value not in limits["enum"]:
        yield f"satisfy enum value set: [{', '.join(limits['enum'])}]"


def _rules(shape: Any) -> Problems:
    limits = shape.metadata
    if "max" in limits:
        yield f"have length less than or equal to {limits['max']}"
    if "min" in limits:
        yield f"have length greater than or equal to {limits['min']}"
    if "pattern" in limits:
        yield f"satisfy regular expression pattern: {limits['pattern']}"


def _join(path: str, name: str) -> str:
    own = name[0].lower() + name[1:]
    return f"{path}.{own}" if path else own


def _java(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}={_java(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_java(item) for item in value) + "]"
    return str(value)
