"""State changes, sent to EventBridge."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from local.sagemaker.batches import Batches
from local.sagemaker.kinds import ENDPOINT, PACKAGE, Json
from local.sagemaker.store import Record, Store
from local.sagemaker.validation import output_members

# Members of a job's description that no documented event has.
_NOT_IN_EVENTS = {"ExitMessage"}
# Takes at most ten entries, like EventBridge's PutEvents.
Publish = Callable[[Sequence[Json]], None]


class Events:
    """Sends SageMaker's events. Never raises and never waits."""

    def __init__(self, publish: Publish, store: Store) -> None:
        self._store = store
        # No delay, because somebody may be waiting for the first event.
        self._batches: Batches[Json] = Batches(publish, delay=0.0, size=10, name="sagemaker-events")

    def tell(self, record: Record, updated: Sequence[str] = ()) -> None:
        """Send the event of a resource's current state. `updated` names the fields that an update changed."""
        detail = self.detail(record)
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
        """Send the remaining events."""
        self._batches.close()

    def detail(self, record: Record) -> Json:
        """The event's detail about a resource in its current state.

        By the samples of https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
        """
        known = output_members(f"Describe{record.kind.stem}")
        fields = self._store.read(record)
        detail = {
            name: _with_times(known[name], fields[name], _text if record.kind is PACKAGE else _milliseconds)
            for name in known
            if name in fields and name not in _NOT_IN_EVENTS
        }
        if record.kind is ENDPOINT:
            # The only status that events write in another way: IN_SERVICE.
            detail["EndpointStatus"] = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", record.status).upper()
        return detail if record.kind is PACKAGE else detail | {"Tags": dict(record.tags)}


def _with_times(shape: Any, value: Any, tell: Callable[[float], Any]) -> Any:
    """A value of this shape with its times in the event's format."""
    if shape.type_name == "timestamp":
        return tell(value)
    if shape.type_name == "structure":
        return {name: _with_times(shape.members[name], item, tell) for name, item in value.items()}
    return [_with_times(shape.member, item, tell) for item in value] if shape.type_name == "list" else value


def _milliseconds(seconds: float) -> int:
    """The time format of the events of jobs."""
    return int(seconds * 1000)


def _text(seconds: float) -> str:
    """The time format of the events of model packages."""
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
