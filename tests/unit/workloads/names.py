"""The names of workloads and of the metrics that they measure, read from their files."""

import ast
import re

from tests.unit.workloads.folders import Folder


def metrics(folder: Folder) -> set[str]:
    """The names in `Metric("name", ...)` of an evaluate.py."""
    found = set()
    for node in ast.walk(ast.parse((folder.path / "evaluate.py").read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id="Metric"), args=[ast.Constant(str(name)), *_]):
                found.add(name)
    return found


def workload_pattern(name: str) -> re.Pattern[str]:
    """The name as code has it; one that is a single word may also stand in an English sentence."""
    words = re.escape(name).replace("_", "[-_]")
    around = ("(?<![a-z0-9])", "(?![a-z0-9])") if "_" in name else ("(?<=[\"'/])", "(?=[\"'/])")
    return re.compile(words.join(around), re.IGNORECASE)


def metric_pattern(name: str) -> re.Pattern[str]:
    """The name as a word of its own, also inside a name such as `test_mse`."""
    return re.compile(f"(?<![a-z]){re.escape(name)}(?![a-z0-9])", re.IGNORECASE)
