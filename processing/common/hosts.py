"""The machines of a job, as SageMaker tells them to each (`/opt/ml/config/resourceconfig.json`).

Standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RESOURCE_CONFIG = Path("/opt/ml/config/resourceconfig.json")


@dataclass(frozen=True)
class Hosts:
    """All hosts of the job, and the `current` one. A name is also a network address inside the job."""

    current: str
    names: Sequence[str]

    @property
    def first(self) -> str:
        """The host that coordinates the others, and alone writes what a job writes once."""
        return self.names[0]


def find_hosts() -> Hosts:
    """This job's hosts; one, if it runs outside of SageMaker."""
    if not RESOURCE_CONFIG.is_file():
        return Hosts("localhost", ["localhost"])
    found = json.loads(RESOURCE_CONFIG.read_text(encoding="utf-8"))
    # Every host has to name the same first one.
    return Hosts(found["current_host"], sorted(found["hosts"], key=_number))


def _number(host: str) -> tuple[int, str]:
    """algo-2 comes before algo-10."""
    return len(host), host
