"""The remembered results as items `result#<key>` of the table. DynamoDB deletes them after `expires_at`."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.aws import table


@dataclass(frozen=True)
class Entry:
    """What a run got in a step, and where: `result` has at least `uri` and `digest`."""

    step: str
    run_id: str
    execution_arn: str
    result: Mapping[str, Any]
    fingerprint: str
    expires_at: int


def read(key: str) -> Entry | None:
    """The entry with this key, even if it has expired and is not deleted yet."""
    item = _table().get_item(Key={"pk": _pk(key)}, ConsistentRead=True).get("Item")
    if item is None:
        return None
    return Entry(
        step=str(item["step"]),
        run_id=str(item["run_id"]),
        execution_arn=str(item["execution_arn"]),
        result=json.loads(item["result"]),
        fingerprint=str(item["fingerprint"]),
        expires_at=int(item["expires_at"]),
    )


def write(key: str, entry: Entry) -> None:
    """Store an entry in place of one that another run has left there: either one is whole."""
    _table().put_item(
        Item={
            "pk": _pk(key),
            "step": entry.step,
            "run_id": entry.run_id,
            "execution_arn": entry.execution_arn,
            # As text: boto3 refuses floats as DynamoDB's numbers.
            "result": json.dumps(entry.result),
            "fingerprint": entry.fingerprint,
            "expires_at": entry.expires_at,
        }
    )


def _pk(key: str) -> str:
    return f"result#{key}"


def _table() -> Any:
    return table(os.environ["TABLE_NAME"])
