import json
from pathlib import Path
from typing import Any

import pytest

from common import workload
from local.cli.workloads import WrongWorkload, check_choice, choose, key_of


@pytest.fixture(autouse=True)
def _three_workloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that take .csv, and one that takes .parquet and .arrow."""
    gate = {"metric": "mse", "at_most": 46}
    settings: dict[str, Any] = {
        "boats": {"upload": {"suffixes": [".csv"]}, "gate": {**gate, "parameter": "Limit"}},
        "planes": {"upload": {"suffixes": [".csv"]}, "gate": gate},
        "trains": {"upload": {"suffixes": [".parquet", ".arrow"]}, "gate": gate},
    }
    for name, content in settings.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "workload.json").write_text(json.dumps(content))
    find = workload.find_workloads
    monkeypatch.setattr(workload.find_workloads, "__defaults__", (tmp_path,))
    monkeypatch.setattr(workload.find_workload, "__defaults__", (tmp_path,))
    assert list(find()) == ["boats", "planes", "trains"]


@pytest.mark.parametrize(
    ("file", "asked", "default", "chosen"),
    [
        ("a.parquet", None, "boats", "trains"),
        ("a.csv", None, "boats", "boats"),
        ("a.csv", None, "planes", "planes"),
        ("a.csv", "planes", "boats", "planes"),
    ],
)
def test_the_workload_is_the_one_asked_for_or_the_one_that_takes_the_file(
    file: str, asked: str | None, default: str, chosen: str
) -> None:
    assert choose(Path(file), asked, default).name == chosen


def test_two_workloads_that_take_the_file_need_a_choice() -> None:
    with pytest.raises(WrongWorkload, match=r"boats, planes take \.csv files; choose one with --workload"):
        choose(Path("a.csv"), None, "trains")


@pytest.mark.parametrize(
    ("file", "asked", "told"),
    [
        ("a.xlsx", None, "boats takes .csv; planes takes .csv; trains takes .parquet, .arrow"),
        ("a.csv", "trains", "'a.csv' is of no kind that starts a run"),
        ("a.csv", "ships", "there is no workload 'ships'; there are boats, planes, trains"),
        ("a.csv", "../boats", "there is no workload '../boats'"),
    ],
)
def test_a_choice_that_cannot_be_says_what_can(file: str, asked: str | None, told: str) -> None:
    with pytest.raises(WrongWorkload) as wrong:
        check_choice(Path(file), asked, None)
    assert told in str(wrong.value)


def test_a_threshold_needs_a_gate_that_a_parameter_sets() -> None:
    check_choice(Path("a.csv"), "boats", 1.0)
    with pytest.raises(WrongWorkload, match="no stack parameter sets the gate of trains"):
        check_choice(Path("a.parquet"), None, 1.0)


def test_only_the_default_workload_has_no_folder_of_its_own() -> None:
    assert key_of(Path("x/a.csv"), choose(Path("a.csv"), "boats", ""), "boats") == "incoming/a.csv"
    assert key_of(Path("x/a.csv"), choose(Path("a.csv"), "boats", ""), "trains") == "incoming/boats/a.csv"
