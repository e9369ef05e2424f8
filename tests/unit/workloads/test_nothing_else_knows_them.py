"""The machine knows no workload: neither the name of one nor a metric occurs in the common code."""

import re
from pathlib import Path

import pytest

from tests.unit.template.stack import template
from tests.unit.workloads.folders import PROCESSING, ROOT, folders
from tests.unit.workloads.names import metric_pattern, metrics, workload_pattern

NAMES = [workload_pattern(folder.name) for folder in folders(PROCESSING)]
METRICS = [metric_pattern(name) for folder in folders(PROCESSING) for name in sorted(metrics(folder))]
# The local SageMaker has the metrics of XGBoost's own algorithm, whichever workloads there are.
KNOWS_XGBOOST = ROOT / "local" / "sagemaker"


def sources() -> list[Path]:
    """Everything but processing/ that takes part in a run."""
    folders = [ROOT / name for name in ("statemachine", "functions", "local", "stacks")]
    kinds = {".py", ".json", ".yaml", ".html", ".txt", ".css", ".js"}
    found = [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in kinds]
    return [ROOT / "template.yaml", *found]


def without_names_of_others(text: str) -> str:
    """The text without the names of the stack's parameters and of sample files; of a template also without
    the parameters themselves."""
    text = re.sub(r"^(Metadata|Parameters):\n(?:(?: .*)?\n)*", "", text, flags=re.MULTILINE)
    names = [*template()["Parameters"], *(re.escape(path.name) for path in (ROOT / "data").iterdir())]
    text = re.sub(rf"\b({'|'.join(names)})\b", "", text)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_name_of_a_workload_or_metric_occurs_in(path: Path) -> None:
    lines = without_names_of_others(path.read_text(encoding="utf-8")).splitlines()
    patterns = NAMES if path.is_relative_to(KNOWS_XGBOOST) else NAMES + METRICS
    assert [line.strip() for line in lines if any(pattern.search(line) for pattern in patterns)] == []
