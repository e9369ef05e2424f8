"""The uploads of a workload that led to a model, as the state machine has noted them in the table.

An item `accepted#<workload>#<day>` has the uploads whose runs began on that day (UTC), each as a JSON text in
the set `uploads`. So a note is one write, which can be repeated, and no item grows for ever.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from shared.aws import read_items
from shared.text import now

# Further back, nobody looks. As many items as one call reads.
_YEARS, _DAYS_AT_ONCE = 3, 100


@dataclass(frozen=True)
class Accepted:
    """One version of an uploaded object, and who uploaded it when."""

    bucket: str
    key: str
    version_id: str
    size: int
    uploaded_at: str
    uploaded_by: str
    source_ip: str

    @property
    def file(self) -> Mapping[str, Any]:
        """What the function that checks uploads needs to know."""
        return {name: asdict(self)[name] for name in ("key", "version_id", "size")}


def newest_first(workload: str) -> Iterator[Accepted]:
    """The workload's accepted uploads of the last three years."""
    today = now().date()
    for start in range(0, _YEARS * 366, _DAYS_AT_ONCE):
        days = [today - timedelta(days=back) for back in range(start, start + _DAYS_AT_ONCE)]
        items = read_items(os.environ["TABLE_NAME"], [f"accepted#{workload}#{day}" for day in days])
        found = [Accepted(**json.loads(text)) for item in items.values() for text in item["uploads"]]
        yield from sorted(found, key=lambda upload: (upload.uploaded_at, upload.version_id), reverse=True)
