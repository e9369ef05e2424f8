"""Every folder that claims to be a workload: those of the project, and the one that docs/workloads.md adds."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PROCESSING, EXAMPLES = ROOT / "processing", ROOT / "tests" / "workloads"
sys.path[:0] = [str(PROCESSING), str(EXAMPLES)]


@dataclass(frozen=True)
class Folder:
    """A workload's folder."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def settings(self) -> dict[str, Any]:
        """Its workload.json as it is written."""
        found: dict[str, Any] = json.loads((self.path / "workload.json").read_text(encoding="utf-8"))
        return found


def folders(*roots: Path) -> list[Folder]:
    """The workloads below these folders."""
    return [Folder(file.parent) for root in roots for file in sorted(root.glob("*/workload.json"))]
