"""The resources, in memory: one table per kind, one lock, and a condition to wait for changes."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from local.sagemaker.kinds import KINDS, TERMINAL, Json, Kind


class Record:
    """One resource; `fields` is everything known about it, by the names of the API. See `Store.update`."""

    def __init__(self, kind: Kind, key: str, arn: str, fields: Json, tags: Mapping[str, str]) -> None:
        self.kind = kind
        self.key = key
        self.arn = arn
        self.fields = fields
        self.tags = dict(tags)

    @property
    def name(self) -> str:
        """The name that people use; for a version of a group, the group's name."""
        return str(self.fields[self.kind.name_field]) if self.kind.any_case else self.key.partition("/")[0]

    @property
    def status(self) -> str:
        """`InProgress`, ...; empty for a resource without a status."""
        return str(self.fields.get(self.kind.status_field, ""))

    @property
    def ended(self) -> bool:
        """Whether this is a job that has ended."""
        return self.status in TERMINAL


class Store:
    """All resources of one account and region. Thread-safe."""

    def __init__(self, account_id: str, region: str) -> None:
        self.account_id = account_id
        self.region = region
        self._tables: dict[str, dict[str, Record]] = {kind.name: {} for kind in KINDS}
        self._changed = threading.Condition(threading.RLock())

    @property
    def lock(self) -> threading.Condition:
        """Hold it to read several resources, or to read and write, atomically."""
        return self._changed

    def arn(self, kind: Kind, key: str) -> str:
        """The ARN a resource of that name has, whether it exists or not."""
        return f"arn:aws:sagemaker:{self.region}:{self.account_id}:{kind.arn_part}/{kind.key(key)}"

    def add(self, kind: Kind, key: str, fields: Json, tags: Mapping[str, str] | None = None) -> Record:
        """Create a resource. Raises `ServiceError` if the name is taken."""
        with self._changed:
            key, arn = kind.key(key), self.arn(kind, key)
            if key in self._tables[kind.name]:
                raise kind.error(kind.duplicate, key, arn)
            now = time.time()
            own = {kind.arn_field: arn, "CreationTime": now, "LastModifiedTime": now}
            record = Record(kind, key, arn, fields | own, tags or {})
            self._tables[kind.name][key] = record
            self._changed.notify_all()
            return record

    def get(self, kind: Kind, key: str) -> Record:
        """The resource, by name or ARN. Raises `ServiceError` with AWS's text if there is none."""
        record = self.find(kind, key)
        if record is None:
            name = key.removeprefix(self.arn(kind, ""))
            raise kind.error(kind.missing, name, self.arn(kind, name))
        return record

    def find(self, kind: Kind, key: str) -> Record | None:
        """The resource, by name or ARN, or None."""
        with self._changed:
            return self._tables[kind.name].get(kind.key(key).removeprefix(self.arn(kind, "")))

    def find_arn(self, arn: str) -> Record | None:
        """The resource of any kind that has this ARN, or None."""
        for kind in KINDS:
            if arn.startswith(self.arn(kind, "")):
                return self.find(kind, arn)
        return None

    def all(self, kind: Kind) -> list[Record]:
        """Every resource of a kind, oldest first."""
        with self._changed:
            return list(self._tables[kind.name].values())

    def update(self, record: Record, changes: Mapping[str, Any]) -> None:
        """Change some members atomically and wake waiting threads. A member set to None is removed."""
        with self._changed:
            for name, value in changes.items():
                if value is None:
                    record.fields.pop(name, None)
                else:
                    record.fields[name] = value
            record.fields["LastModifiedTime"] = time.time()
            self._changed.notify_all()

    def remove(self, record: Record) -> None:
        """Remove a resource; its name is free again."""
        with self._changed:
            self._tables[record.kind.name].pop(record.key, None)
            self._changed.notify_all()

    def read(self, record: Record) -> Json:
        """A copy of the fields, which later changes do not affect."""
        with self._changed:
            return copy.deepcopy(record.fields)

    def wake(self) -> None:
        """Wake waiting threads after a change outside the store."""
        with self._changed:
            self._changed.notify_all()

    def wait_until(self, true: Callable[[], bool], timeout: float | None = None) -> bool:
        """Block until `true()` holds after a change; False if the timeout comes first."""
        with self._changed:
            return self._changed.wait_for(true, timeout)
