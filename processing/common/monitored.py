"""What a monitoring job found between two uploads: `monitoring.json`. Standard library only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from common import lenient
from common.drift import Drift, QualityChange, read_drift, read_quality_change


@dataclass(frozen=True)
class Monitored:
    """The live model's data and answers from `since` to `until` (ISO 8601, UTC), beside its baseline.

    `rows` counts what was looked at: `batch`, `endpoint`, and `labelled`, whose labels came later. `quality`
    is the error in the wild; None without enough late labels. `problems` are sentences for people about what
    could not be looked at or judged.
    """

    workload: str
    model_package_arn: str
    since: str
    until: str
    rows: Mapping[str, int] = field(default_factory=dict)
    drift: Drift | None = None
    quality: QualityChange | None = None
    problems: tuple[str, ...] = ()

    @property
    def drifted(self) -> bool:
        """Whether data or answers drifted."""
        return self.drift is not None and self.drift.drifted

    @property
    def degraded(self) -> bool:
        """Whether the error in the wild is worse than at approval."""
        return self.quality is not None and self.quality.degraded

    def to_json(self) -> dict[str, Any]:
        """The content of monitoring.json, ready for `json.dumps`."""
        drift = self.drift.to_json() if self.drift else None
        return {**asdict(self), "drift": drift, "drifted": self.drifted, "degraded": self.degraded}


def parse(text: str) -> Monitored:
    """The content of a monitoring.json. Never raises: missing and malformed fields are left out."""
    try:
        found = lenient.mapping(json.loads(text))
    except (ValueError, RecursionError):
        found = {}
    counts = {str(name): lenient.number(n) for name, n in lenient.mapping(found.get("rows")).items()}
    return Monitored(
        workload=lenient.text(found.get("workload")),
        model_package_arn=lenient.text(found.get("model_package_arn")),
        since=lenient.text(found.get("since")),
        until=lenient.text(found.get("until")),
        rows={name: int(n) for name, n in counts.items() if n is not None},
        drift=read_drift(found.get("drift")),
        quality=read_quality_change(found.get("quality")),
        problems=tuple(map(lenient.text, lenient.items(found.get("problems")))),
    )
