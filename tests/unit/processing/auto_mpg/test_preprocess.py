import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from auto_mpg.car import Car
from auto_mpg.columns import to_cars
from common.preprocessing import main
from common.splitting import exact_borders
from common.workload import find_workload
from tests.channels import read_channel
from tests.unit.processing.auto_mpg.by_rows import read_cars
from tests.unit.processing.conftest import SCRIPTS, Script, sha256

HEADER = "mpg,cylinders,displacement,horsepower,weight,acceleration,model_year,origin,car_name"


def preprocess(folder: Path, upload: bytes, digest: str = "") -> tuple[int, str]:
    """The exit code and the exit message of the job."""
    path, message = folder / "upload.csv", folder / "output" / "message"
    path.write_bytes(upload)
    arguments = ["--upload", path, "--output", folder / "prepared", "--exit-message", message]
    arguments += ["--output-uri", "s3://bucket/runs/x/prepared/", "--file-name", "incoming/cars.csv"]
    arguments += ["--upload-digest", digest or sha256(path)]
    return main(find_workload("auto_mpg"), list(map(str, arguments))), message.read_text()


def contents(cars: list[Car]) -> list[int]:
    return list(map(int, to_cars(cars).hashes()))


def parts(cars: list[Car]) -> tuple[set[int], set[int], set[int]]:
    """The contents that train, validate and test."""
    hashes = to_cars(cars).hashes()
    of = exact_borders(hashes).of(hashes)
    train, validation, test = (set(hashes[of == part].tolist()) for part in range(3))
    return train, validation, test


def test_a_corrected_label_or_name_leaves_a_car_in_its_part(sample: bytes) -> None:
    cars = read_cars(io.BytesIO(sample), "cars.csv")
    corrected = read_cars(
        io.BytesIO(sample.replace(b"chevy", b"chevrolet").replace(b"\n18,", b"\n18.1,")), ""
    )
    assert cars != corrected
    assert parts(cars) == parts(corrected)


def test_after_a_tenth_of_new_rows_no_training_row_tests_the_next_model(sample: bytes) -> None:
    cars = read_cars(io.BytesIO(sample), "cars.csv")
    for start in range(0, 358, 10):
        earlier = cars[:start] + cars[start + 40 :]
        assert not parts(earlier)[0] & parts(cars)[2]


def test_the_sample_is_split_278_60_60(prepared: Path) -> None:
    rows = json.loads((prepared / "summary.json").read_text())["rows"]
    assert rows == {
        "uploaded": 398,
        "labelled": 398,
        "unlabelled": 0,
        "train": 278,
        "validation": 60,
        "test": 60,
        "batch": 60,
    }
    assert read_channel(prepared / "train").shape == (278, 1 + 9)
    assert read_channel(prepared / "validation").shape == (60, 1 + 9)
    assert len((prepared / "test" / "test.csv").read_text().splitlines()) == 1 + 60
    assert len((prepared / "batch" / "batch.csv").read_text().splitlines()) == 60


def test_the_labels_come_first_and_are_those_of_the_upload(
    prepared: Path, sample_rows: list[dict[str, str]]
) -> None:
    test = csv.DictReader(io.StringIO((prepared / "test" / "test.csv").read_text()))
    labels = [float(row["mpg"]) for row in test]
    for name in ("train", "validation"):
        labels += read_channel(prepared / name)[:, 0].tolist()
    expected = [float(row["mpg"]) for row in sample_rows]
    assert np.allclose(sorted(labels), sorted(expected), rtol=1e-6)


def test_the_training_numbers_are_standardised_and_the_others_follow_them(prepared: Path) -> None:
    train = read_channel(prepared / "train").astype(np.float64)
    assert np.allclose(train[:, 1:7].mean(axis=0), 0, atol=1e-6)
    assert np.allclose(train[:, 1:7].std(axis=0), 1, rtol=1e-6)
    assert (train[:, 7:].sum(axis=1) == 1).all()
    validation = read_channel(prepared / "validation")
    assert not np.isclose(validation[:, 1:7].mean(axis=0), 0, atol=1e-6).any()


def test_training_files_are_parquet_without_missing_values_as_the_algorithm_takes_them(
    prepared: Path,
) -> None:
    for name in ("train", "validation"):
        table = parquet.read_table(prepared / name / f"{name}.parquet")
        assert table.column_names[0] == "mpg"
        assert {str(kind) for kind in table.schema.types} == {"float"}
        assert not any(column.null_count for column in table.columns)


def test_the_batch_has_the_rows_without_mpg_and_then_the_test_rows_without_theirs(
    tmp_path: Path, sample: bytes
) -> None:
    new = b'?,4,98,?,2046,19,71,europe,"=pinto, ""s""\n\xc3\xab"\nNA,4,98.50,68,2046.25,19.0,1971,3,b\n'
    assert preprocess(tmp_path, sample + new)[0] == 0
    batch = (tmp_path / "prepared" / "batch" / "batch.csv").read_text(encoding="utf-8").splitlines()
    assert batch[:2] == ['4,98,,2046,19,71,2,"\'=pinto, ""s"" ë"', '4,98.5,68,2046.25,19,71,3,"b"']
    header, *test = (tmp_path / "prepared" / "test" / "test.csv").read_text().splitlines()
    assert header == HEADER
    assert batch[2:] == [line.partition(",")[2] for line in test]


def test_the_preprocessor_is_plain_json(prepared: Path) -> None:
    document = json.loads((prepared / "preprocessor.json").read_text())
    assert document["features"] == [
        *("cylinders", "displacement", "horsepower", "weight", "acceleration", "model_year"),
        *("origin_usa", "origin_europe", "origin_japan"),
    ]
    assert document["numbers"]["weight"]["mean"] == pytest.approx(2953.820, abs=1e-3)


def test_lines_end_as_the_built_in_algorithm_expects(prepared: Path) -> None:
    for path in prepared.rglob("*.csv"):
        assert b"\r" not in path.read_bytes()
        assert path.read_bytes().endswith(b"\n")


def test_the_same_upload_gives_the_same_files(tmp_path: Path, sample: bytes, prepared: Path) -> None:
    assert preprocess(tmp_path, sample)[0] == 0
    again = tmp_path / "prepared"
    files = [path.relative_to(prepared) for path in prepared.rglob("*.*")]
    assert len(files) == 10
    assert all((again / file).read_bytes() == (prepared / file).read_bytes() for file in files)


def test_the_same_cars_in_another_order_give_the_same_files(tmp_path: Path, sample: bytes) -> None:
    header, *cars = sample.splitlines(keepends=True)
    doubles = [*cars, *cars[:40], *(b"9.5," + car.partition(b",")[2] for car in cars[:40])]
    made = []
    for name, order in {"a": doubles, "b": doubles[::-1]}.items():
        (tmp_path / name).mkdir()
        assert preprocess(tmp_path / name, header + b"".join(order))[0] == 0
        files = sorted((tmp_path / name / "prepared").rglob("*.*"))
        made.append({path.name: path.read_bytes() for path in files if path.name != "summary.json"})
    assert made[0] == made[1]


@pytest.mark.parametrize("file", ["train.parquet", "validation.parquet", "batch.csv"])
def test_each_channel_has_a_manifest_of_its_one_file(file: str, prepared: Path) -> None:
    channel = file.partition(".")[0]
    content = json.loads((prepared / channel / f"{channel}.manifest").read_text())
    assert content == [{"prefix": f"s3://bucket/runs/x/prepared/{channel}/"}, file]
    assert (prepared / channel / file).is_file()


def test_bad_data_ends_the_job_with_a_message_and_no_traceback(run_script: Script, tmp_path: Path) -> None:
    (tmp_path / "upload.csv").write_bytes(b"mpg;weight\n18;3504\n")
    done = run_script(
        *(
            "preprocess",
            "auto_mpg",
            "--upload",
            "upload.csv",
            "--output",
            "prepared",
            "--output-uri",
            "s3://b/p/",
        ),
        *("--upload-digest", sha256(tmp_path / "upload.csv"), "--exit-message", "output/message"),
        *("--file-name", "incoming/cars.csv"),
        cwd=tmp_path,
    )
    message = (
        "UploadRefused: incoming/cars.csv, line 1: the columns are separated by semicolons; "
        "save the file with commas"
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", message + "\n")
    assert (tmp_path / "output" / "message").read_text() == message
    assert not (tmp_path / "prepared").exists()


def test_horsepower_in_the_test_rows_alone_does_not_suffice(tmp_path: Path) -> None:
    without = [Car(18.0, 8, 300.0 + number, None, 3504.0, 12.0, 70, 1, "") for number in range(30)]
    candidates = (Car(18.0, 8, 400.0 + number, 130.0, 3504.0, 12.0, 70, 1, "") for number in range(100))
    only = next(car for car in candidates if contents([car])[0] in parts([*without, car])[2])
    rows = [f"18,8,{car.displacement},{car.horsepower},3504,12,70,1," for car in [*without, only]]
    _, message = preprocess(tmp_path, "\n".join([HEADER, *rows]).encode())
    assert message.startswith("UploadRefused: incoming/cars.csv has too few rows with horsepower")


def test_an_unexpected_error_is_reported_in_a_line_and_logged_with_its_traceback(
    sample: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prepared").write_bytes(b"no folder")
    code, message = preprocess(tmp_path, sample)
    assert code == 1
    assert "Traceback" in capsys.readouterr().err
    assert message.startswith("unexpected error FileExistsError: ")
    assert message.endswith("; see the job's log")


def test_the_exit_message_is_the_digest_of_a_summary_that_has_those_of_everything_else(
    sample: bytes, tmp_path: Path
) -> None:
    assert preprocess(tmp_path, sample)[0] == 0
    summary = tmp_path / "prepared" / "summary.json"
    assert (tmp_path / "output" / "message").read_text() == sha256(summary)
    told = json.loads(summary.read_text())
    assert told["upload_digest"] == sha256(tmp_path / "upload.csv")
    written = [path for path in (tmp_path / "prepared").rglob("*") if path.is_file() and path != summary]
    assert told["digests"] == {
        path.relative_to(tmp_path / "prepared").as_posix(): sha256(path) for path in written
    }


def test_an_upload_that_was_changed_after_its_check_is_refused(sample: bytes, tmp_path: Path) -> None:
    code, message = preprocess(tmp_path, sample, digest=f"sha256:{'0' * 64}")
    assert code == 1
    assert message.startswith("incoming/cars.csv was changed after it was written: its digest is sha256:")
    assert not (tmp_path / "prepared").exists()


def test_the_quick_check_needs_nothing_but_the_standard_library(tmp_path: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); import auto_mpg.upload, common.workload"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=tmp_path, check=True, timeout=60)
