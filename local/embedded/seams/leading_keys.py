"""The condition `dynamodb:LeadingKeys`: the partition keys of the items that a call reads or writes.

By https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html. The keys of a
Query or a PartiQL statement are not known here; policies that limit those cannot be shown.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from local.embedded.seams.executions import json_object


def install_leading_keys() -> None:
    """Let policies depend on it."""
    from ministack.core import iam_actions

    original = iam_actions.dynamodb_service_context

    def service_context(body: bytes) -> dict[str, Any]:
        context: dict[str, Any] = original(body)
        if keys := list(_leading_keys(json_object(body))):
            context["dynamodb:LeadingKeys"] = keys
        return context

    iam_actions.dynamodb_service_context = service_context


def _leading_keys(request: Mapping[str, Any]) -> Iterator[str]:
    if table := request.get("TableName"):
        yield from _keys_of(str(table), [request.get("Key") or request.get("Item")])
    batch = request.get("RequestItems")
    for table, asked in batch.items() if isinstance(batch, Mapping) else ():
        if isinstance(asked, Mapping):
            yield from _keys_of(table, asked.get("Keys", []))
        else:
            written: Iterator[Any] = (next(iter(each.values()), {}) for each in asked)
            yield from _keys_of(table, [each.get("Key") or each.get("Item") for each in written])


def _keys_of(table: str, items: list[Any]) -> Iterator[str]:
    from ministack.services import dynamodb

    known = dynamodb._tables.get(table.rpartition("/")[2])
    for item in items:
        if known and isinstance(item, Mapping) and isinstance(value := item.get(known["pk_name"]), Mapping):
            yield from map(str, value.values())
