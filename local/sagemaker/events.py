"""State changes, told to EventBridge."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from typing import Any

from local.sagemaker.batches import Batches
from local.sagemaker.kinds import PACKAGE, Json
from local.sagemaker.store import Record, Store
from local.sagemaker.validation import output_members

# Takes at most ten entries, as EventBridge's PutEvents does.
Publish = Callable[[Sequence[Json]], None]


class Events:
    """Sends SageMaker's events. Never raises and never waits."""

    def __init__(self, publish: Publish, store: Store) -> None:
        self._store = store
        # No delay: somebody may be waiting for the first one.
        self._batches: Batches[Json] = Batches(publish, delay=0.0, size=10, name="sagemaker-events")

    def tell(self, record: Record, updated: Sequence[str] = ()) -> None:
        """Send the event of a resource as it is now. `updated` names the fields that an update changed."""
        detail = self._detail(record)
        if updated:
            detail["UpdatedModelPackageFields"] = list(updated)
        entry = {
            "Source": "aws.sagemaker",
            "DetailType": record.kind.event,
            "Resources": [record.arn],
            "Detail": json.dumps(detail),
            "Time": dt.datetime.now(dt.UTC),
        }
        self._batches.put(entry)

    def close(self) -> None:
        """Send what is left."""
        self._batches.close()

    def _detail(self, record: Record) -> Json:
        members = output_members(f"Describe{record.kind.stem}")
        fields = self._store.read(record)
        detail = {
            name: _time(fields[name], record) if members[name].type_name == "timestamp" else fields[name]
            for name in members
            if name in fields
        }
        return detail if record.kind is PACKAGE else detail | {"Tags": dict(record.tags)}


def _time(seconds: float, record: Record) -> Any:
    """Jobs' events carry milliseconds, those of model packages ISO texts."""
    if record.kind is PACKAGE:
        return (
            dt.datetime.fromtimestamp(seconds, dt.UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z")
        )
    return int(seconds * 1000)
