"""Several uploads of cars are prepared as one, each content from the latest that says something of it."""

import csv
import io
from pathlib import Path

import pytest

from auto_mpg import together
from auto_mpg.preprocess import prepare, prepare_all
from common.cluster import Local
from common.preprocessing import Prepared
from common.uploads import BadUpload
from tests.unit.processing.auto_mpg.test_large_uploads import joined

HEADER = "mpg,cylinders,displacement,horsepower,weight,acceleration,model_year,origin,car_name\n"
# The same columns in another order, under other names, with words for the origin.
OTHER = "Name;Origin;Model Year;Acceleration;Weight;Horsepower;Displacement;Cylinders;MPG\n".replace(";", ",")


def car(number: int, label: str = "") -> list[str]:
    mpg = label or f"{20 + number % 10}"
    return [mpg, "8", "307", "130", f"{3000 + number}", "12", "70", "1", f"car {number}"]


def line(number: int, label: str = "") -> str:
    return ",".join(car(number, label)) + "\n"


def other_line(number: int, label: str = "") -> str:
    values = car(number, label)[::-1]
    return ",".join([values[0], "usa", *values[2:]]) + "\n"


def write(folder: Path, *uploads: str) -> list[tuple[Path, str]]:
    folder.mkdir(exist_ok=True)
    files = []
    for number, content in enumerate(uploads):
        path = folder / f"upload.{number:05}.csv"
        path.write_text(content)
        files.append((path, f"incoming/{number}.csv"))
    return files


def together_(folder: Path, *uploads: str, workers: int = 1) -> Prepared:
    return prepare_all(write(folder, *uploads), folder / "prepared", Local(1, workers))


OLD = HEADER + "".join(line(number) for number in range(60))
# Twenty of the old contents with another label, one twice; twenty new ones.
NEW = OTHER + "".join(other_line(number, "99") for number in [*range(40, 60), 59, *range(60, 80)])
EXPECTED = (
    HEADER
    + "".join(line(n) for n in range(40))
    + "".join(line(n, "99") for n in [*range(40, 60), 59, *range(60, 80)])
)


@pytest.fixture(params=["in memory", "in parts"])
def size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "in parts":
        monkeypatch.setattr(together, "BLOCK", 512)
        monkeypatch.setattr(together, "BLOCKS_OF_A_PART", 2)
    return str(request.param)


def rows_of(folder: Path) -> dict[str, list[str]]:
    return {name: sorted(map(str, rows)) for name, rows in joined(folder).items() if name != "preprocessor"}


@pytest.mark.usefixtures("size")
def test_the_later_upload_wins_whatever_its_header(tmp_path: Path) -> None:
    found = together_(tmp_path / "found", OLD, NEW)
    (tmp_path / "expected").mkdir()
    upload = tmp_path / "expected" / "upload.csv"
    upload.write_text(EXPECTED)
    expected = prepare(upload, "cars.csv", tmp_path / "expected" / "prepared", Local(workers=1))
    assert rows_of(tmp_path / "found") == rows_of(tmp_path / "expected")
    assert {name: found.rows[name] for name in expected.rows if name != "uploaded"} == {
        name: rows for name, rows in expected.rows.items() if name != "uploaded"
    }
    assert (found.rows["uploaded"], found.rows["replaced"]) == (60 + 41, 20)


@pytest.mark.usefixtures("size")
def test_a_label_that_came_late_takes_the_place_of_the_row_without_it(tmp_path: Path) -> None:
    unlabelled = HEADER + "".join(
        line(number).replace(str(20 + number % 10), "", 1) for number in range(40, 60)
    )
    early = together_(tmp_path / "early", OLD, unlabelled)
    late = together_(tmp_path / "late", unlabelled, OLD)
    assert early.rows == late.rows
    assert (early.rows["unlabelled"], early.rows["replaced"]) == (0, 20)


def test_any_number_of_workers_writes_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "BLOCK", 512)
    monkeypatch.setattr(together, "BLOCKS_OF_A_PART", 2)
    assert together_(tmp_path / "one", OLD, NEW) == together_(tmp_path / "two", OLD, NEW, workers=2)


@pytest.mark.usefixtures("size")
def test_a_bad_row_is_named_with_its_file_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadUpload, match=r"^incoming/1\.csv, line 5: horsepower is \"fast\""):
        together_(
            tmp_path, OLD, HEADER + "".join(line(n) for n in range(3)) + line(4).replace("130", "fast"), OLD
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"upload.{n:05}.csv" for n in range(3)]


@pytest.mark.usefixtures("size")
def test_an_upload_of_which_no_row_is_left_does_no_harm(tmp_path: Path) -> None:
    both = together_(tmp_path / "both", OLD, OLD)
    alone = together_(tmp_path / "alone", OLD)
    assert rows_of(tmp_path / "both") == rows_of(tmp_path / "alone")
    assert both.rows == {**alone.rows, "uploaded": 120, "replaced": 60}


def test_the_sample_uploaded_in_two_halves_is_the_sample(tmp_path: Path) -> None:
    sample = (Path(__file__).parents[4] / "data" / "auto-mpg.csv").read_text()
    header, *lines = sample.splitlines(keepends=True)
    halves = [header + "".join(lines[:250]), header + "".join(lines[150:])]
    found = together_(tmp_path / "found", *halves)
    (tmp_path / "whole").mkdir()
    upload = tmp_path / "whole" / "upload.csv"
    upload.write_text(sample)
    prepare(upload, "cars.csv", tmp_path / "whole" / "prepared", Local(workers=1))
    assert rows_of(tmp_path / "found") == rows_of(tmp_path / "whole")
    assert list(csv.reader(io.StringIO(header)))
    assert found.rows["replaced"] == 100
