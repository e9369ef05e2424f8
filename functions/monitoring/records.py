"""What monitoring remembers of a workload, in `monitor#<workload>`: how far it looked, what it said."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.conditions import Attr

from shared.aws import table, write_if
from shared.text import now, timestamp


@dataclass(frozen=True)
class LastLook:
    """The last window that was looked at, up to `until` (ISO 8601, UTC).

    `drifted` and `degraded` are the last verdict on the model, of which people were told.
    """

    until: str
    monitoring_id: str
    model_package_arn: str = ""
    drifted: frozenset[str] = frozenset()
    degraded: bool = False


def last_look(workload: str) -> LastLook | None:
    """The last look at a workload; None if there was none."""
    item = _table().get_item(Key=_key(workload), ConsistentRead=True).get("Item")
    if not item:
        return None
    return LastLook(
        until=str(item["until"]),
        monitoring_id=str(item["monitoring_id"]),
        model_package_arn=str(item.get("model_package_arn", "")),
        drifted=frozenset(map(str, item.get("drifted", ()))),
        degraded=bool(item.get("degraded", False)),
    )


def record_look(workload: str, look: LastLook) -> bool:
    """Make this the last look, unless another execution has looked further."""
    mine = Attr("monitoring_id").eq(look.monitoring_id)
    item = {
        **_key(workload),
        "until": look.until,
        "monitoring_id": look.monitoring_id,
        "model_package_arn": look.model_package_arn,
        "drifted": _sorted(look.drifted),
        "degraded": look.degraded,
        "looked_at": timestamp(now()),
    }
    return write_if(
        Attr("pk").not_exists() | mine | Attr("until").lt(look.until), _table().put_item, Item=item
    )


def _sorted(names: Collection[str]) -> list[str]:
    return sorted(names)


def _key(workload: str) -> dict[str, str]:
    return {"pk": f"monitor#{workload}"}


def _table() -> Any:
    return table(os.environ["TABLE_NAME"])
