"""A workload is added by adding its folder, as docs/workloads.md says: iris, which nothing else knows."""

import csv
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.mpg import MPG, ROOT, Place

IRIS = ROOT / "tests" / "workloads" / "iris"
COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
UNLABELLED = [["5.0", "3.4", "1.5", "0.2", ""], ["6.3", "2.8", "5.1", "1.9", ""]]
SECONDS = 480


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the project with one more folder in it."""
    copy = tmp_path_factory.mktemp("project")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.splitlines():
        if not name.startswith("tests/") and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            # With its time, by which compiled modules are known to be of it.
            shutil.copy2(ROOT / name, copy / name)
    for compiled in (ROOT / "local").rglob("__pycache__"):
        shutil.copytree(compiled, copy / compiled.relative_to(ROOT))
    shutil.copytree(IRIS, copy / "processing" / "iris", ignore=shutil.ignore_patterns("__pycache__"))
    yield copy
    shutil.rmtree(copy)


@pytest.fixture(scope="module")
def approved(project: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `mpg run` in that project tells of a file of irises."""
    place = Place.under(tmp_path_factory.mktemp("place"))
    file = place.temporary / "irises.csv"
    write_irises(file)
    done = subprocess.run(
        [*MPG, "run", str(file), "--workload", "iris", "--decision", "approve", "--json"],
        cwd=project,
        env=place.environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def write_irises(file: Path) -> None:
    from sklearn.datasets import load_iris  # too slow for every worker's collection

    flowers = load_iris()
    rows = [
        [*map(str, sizes), flowers.target_names[species]]
        for sizes, species in zip(flowers.data, flowers.target, strict=True)
    ]
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *rows, *UNLABELLED])


@pytest.mark.timeout(SECONDS + 20)
def test_its_model_is_tuned_evaluated_and_approved(approved: dict[str, Any]) -> None:
    assert (approved["outcome"], approved["workload"]) == ("approved", "iris")
    assert approved["trials"] == 3
    assert approved["accuracy"] == approved["metrics"]["accuracy"] >= 0.9
    assert approved["gate"] == {"metric": "accuracy", "at_least": 0.9, "passed": True}
    assert approved["best_hyperparameters"]["objective"] == "multi:softprob"


def test_its_predictions_are_there(approved: dict[str, Any]) -> None:
    assert approved["predictions"] > len(UNLABELLED)


def test_its_package_is_in_a_group_of_its_own(approved: dict[str, Any]) -> None:
    assert "-iris/1" in approved["model_package_arn"]


def test_its_mails_have_its_own_words(approved: dict[str, Any]) -> None:
    question, _ending, _release = approved["mails"]
    assert "Share of correct species" in question["text"]
