import json
from pathlib import Path

import pytest

from common.evaluation import Gate
from common.workload import UnknownWorkload, Workload, find_workload, find_workloads
from tests.unit.processing.common.conftest import WORKLOADS


def test_a_workload_is_a_folder_with_a_workload_json(guess: Workload) -> None:
    assert find_workloads(WORKLOADS) == {"guess": guess}
    assert (guess.title, guess.suffixes) == ("Guessed numbers", [".txt", ".list"])
    assert guess.gate == Gate("miss", at_most=10)


def test_its_modules_are_those_of_its_folder(guess: Workload) -> None:
    assert guess.module("evaluate").__name__ == "guess.evaluate"
    assert guess.module("evaluate").MODEL_FILES == ("mean.txt",)


def test_the_published_workloads_are_found() -> None:
    assert "auto_mpg" in find_workloads()
    assert find_workload("auto_mpg").suffixes == [".csv"]


@pytest.mark.parametrize("name", ["Cars", "1st", "a-b", "a" * 32, ".git", "été"])
def test_a_folder_with_an_invalid_name_is_no_workload(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "workload.json").write_text("{}")
    assert find_workloads(tmp_path) == {}


@pytest.mark.parametrize("name", ["other", "../guess", "", "common"])
def test_an_unknown_workload_is_refused_with_the_existing_ones(name: str, tmp_path: Path) -> None:
    for known in ("one", "two"):
        (tmp_path / known).mkdir()
        (tmp_path / known / "workload.json").write_text(json.dumps({"title": known}))
    with pytest.raises(UnknownWorkload, match=r"there is no workload '.*'; there are one, two"):
        find_workload(name, tmp_path)
