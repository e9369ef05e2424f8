"""The monitoring job with cars: what it says of data, answers and late labels, and what it withstands."""

import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common import evaluating, monitoring, preprocessing
from common.monitored import Monitored, parse
from common.workload import find_workload
from tests.unit.processing.conftest import Script, pack, sha256
from tests.unit.processing.seen_files import event, write_captures, write_predictions

ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg-auto-mpg/7"
CARS = find_workload("auto_mpg")
HEADER = "mpg,cylinders,displacement,horsepower,weight,acceleration,model_year,origin,car_name"
FIRST_RUN, SECOND_RUN = "mpg-20260302-1000-0123abcd", "mpg-20260304-1000-0123abcd"

Car = dict[str, str]


def lines(cars: Sequence[Car], *, label: bool = False) -> list[str]:
    """As callers send them, or with their labels as people upload them."""
    return [",".join(list(car.values())[0 if label else 1 :]) for car in cars]


def prepare(cars: Sequence[Car], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    upload = folder / "upload.csv"
    upload.write_text("\n".join([HEADER, *lines(cars, label=True)]))
    options = ["--upload", upload, "--output", folder / "prepared", "--exit-message", folder / "message"]
    options += ["--output-uri", "s3://bucket/prepared/", "--upload-digest", sha256(upload)]
    assert preprocessing.main(CARS, list(map(str, options))) == 0
    return folder / "prepared"


def approve(cars: Sequence[Car], folder: Path) -> Path:
    """The archive of a model of these cars."""
    import xgboost

    from tests.channels import read_channel

    prepared = prepare(cars, folder)
    train = read_channel(prepared / "train")
    settings = {"objective": "reg:squarederror", "max_depth": 5, "eta": 0.2, "nthread": 1}
    booster = xgboost.train(settings, xgboost.DMatrix(train[:, 1:], train[:, 0]), 50)
    (folder / "model.tar.gz").write_bytes(pack(("xgboost-model", bytes(booster.save_raw("ubj")))))
    options = ["--model", folder / "model.tar.gz", "--prepared", prepared, "--output", folder / "out"]
    options += ["--prepared-digest", sha256(prepared / "summary.json"), "--exit-message", folder / "message"]
    assert evaluating.main(CARS, list(map(str, options))) == 0
    return folder / "out" / "model.tar.gz"


@pytest.fixture(scope="session")
def cars(sample_rows: list[Car]) -> list[Car]:
    return [{**car, "car name": car["car name"].replace(",", " ")} for car in sample_rows]


@pytest.fixture(scope="session")
def model(cars: list[Car], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Learned from three quarters of the cars; the others came without their label."""
    some = [car if place % 4 else {**car, "mpg": ""} for place, car in enumerate(cars)]
    return approve(some, tmp_path_factory.mktemp("model") / "model")


@dataclass
class Watch:
    """The job, and the folders that it reads and writes."""

    model: Path
    folder: Path

    @property
    def seen(self) -> Path:
        return self.folder / "seen"

    @property
    def earlier(self) -> Path:
        return self.folder / "earlier"

    @property
    def message(self) -> str:
        return (self.folder / "message").read_text()

    def options(self, **changes: object) -> list[str]:
        options: dict[str, object] = {
            "model": self.model,
            "model_digest": sha256(self.model),
            "model_arn": ARN,
            "seen": self.seen,
            "since": "2026-03-01T00:00:00Z",
            "until": "2026-03-08T00:00:00Z",
            "output": self.folder / "found",
            "exit_message": self.folder / "message",
            **changes,
        }
        return [
            text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))
        ]

    def fails(self, **changes: object) -> str:
        assert monitoring.main(CARS, self.options(**changes)) == 1
        return self.message

    def finds(self, **changes: object) -> Monitored:
        assert monitoring.main(CARS, self.options(**changes)) == 0, self.message
        return parse((self.folder / "found" / "monitoring.json").read_text())

    def read(self, name: str) -> Any:
        return json.loads((self.folder / "found" / name).read_text())


@pytest.fixture
def watch(model: Path, tmp_path: Path) -> Watch:
    (tmp_path / "seen").mkdir()
    return Watch(model, tmp_path)


def predict(watch: Watch, cars: Sequence[Car], run: str = FIRST_RUN) -> None:
    """A batch transform by the run's own model, which answers nonsense."""
    write_predictions(watch.seen, run, [f"{line},-1000.0" for line in lines(cars)])


def test_a_bootstrap_of_the_same_cars_has_not_drifted(watch: Watch, cars: list[Car]) -> None:
    drawn = np.random.default_rng(1).integers(len(cars), size=398)
    predict(watch, [cars[place] for place in drawn])
    found = watch.finds()
    assert found.drift
    assert (found.drifted, found.drift.problem, found.problems) == (False, "", ())
    assert found.rows == {"batch": 398, "endpoint": 0, "labelled": 0}
    assert (found.workload, found.model_package_arn, found.quality) == ("auto_mpg", ARN, None)
    assert (found.since, found.until) == ("2026-03-01T00:00:00Z", "2026-03-08T00:00:00Z")
    assert {test.name for test in found.drift.tests} > {"weight", "origin", "prediction"}
    assert watch.read("constraint_violations.json") == {"violations": []}


def test_cars_of_the_next_years_have_drifted(cars: list[Car], tmp_path: Path) -> None:
    old, new = ([car for car in cars if (car["model year"] > "76") is late] for late in (False, True))
    watch = Watch(approve(old, tmp_path / "model"), tmp_path)
    predict(watch, new)
    found = watch.finds()
    assert found.drift
    assert found.drifted
    assert {"model_year", "weight"} <= set(found.drift.drifted_features)
    violations = watch.read("constraint_violations.json")["violations"]
    drifted = {
        one["feature_name"] for one in violations if one["constraint_check_type"] == "baseline_drift_check"
    }
    assert drifted == set(found.drift.drifted_features)


def test_kilograms_for_pounds_drift_in_one_column_and_in_the_answers(watch: Watch, cars: list[Car]) -> None:
    predict(watch, [{**car, "weight": str(round(float(car["weight"]) * 0.45359237))} for car in cars])
    found = watch.finds()
    assert found.drift
    assert set(found.drift.drifted_features) - {"prediction"} == {"weight"}


def test_too_little_data_is_said_and_not_judged(watch: Watch, cars: list[Car]) -> None:
    predict(watch, cars[:20])
    found = watch.finds()
    assert found.drift
    assert not found.drift.tests
    assert "too few rows" in found.drift.problem
    assert watch.read("statistics.json")["dataset"]["item_count"] == 20


def test_no_data_is_said(watch: Watch) -> None:
    found = watch.finds()
    assert found.drift
    assert found.drift.problem
    assert sum(found.rows.values()) == 0
    assert watch.read("statistics.json") == {"version": 0.0, "dataset": {"item_count": 0}, "features": []}
    assert watch.read("constraint_violations.json") == {"violations": []}


def test_answers_that_the_endpoint_gave_count_as_it_gave_them(watch: Watch, cars: list[Car]) -> None:
    """A server that answers differently from the model shows as a drift of the predictions alone."""
    write_captures(watch.seen, "auto_mpg", [event(line, "99.5") for line in lines(cars)])
    found = watch.finds()
    assert found.drift
    assert found.drift.drifted_features == ["prediction"]
    assert found.rows == {"batch": 0, "endpoint": 398, "labelled": 0}


def test_requests_that_were_captured_without_answers_are_answered_again(
    watch: Watch, cars: list[Car]
) -> None:
    write_captures(watch.seen, "auto_mpg", [event("\n".join(lines(cars)) + "\n")])
    found = watch.finds()
    assert (found.drifted, found.rows["endpoint"]) == (False, 398)


def test_rows_that_are_no_cars_are_counted_and_do_not_disturb_the_others(
    watch: Watch, cars: list[Car], capfd: pytest.CaptureFixture[str]
) -> None:
    damaged = ["eight,cylinders", *lines(cars[:200]), "8", '8,307,130,"', *lines(cars[200:])]
    write_predictions(watch.seen, FIRST_RUN, [f"{line},20.5" for line in damaged])
    write_captures(watch.seen, "auto_mpg", ["{", event("no car", "20.5"), event(lines(cars)[0], "no number")])
    found = watch.finds()
    assert found.drift
    assert (found.drift.rows, found.drifted) == (398, False)
    texts = "\n".join(found.problems)
    assert "1 row was left out: no JSON (captured/auto_mpg/" in texts
    assert "5 rows were left out: the model cannot read" in texts
    assert "Traceback" not in "".join(capfd.readouterr())


def test_the_exit_message_is_the_digest_of_the_findings_which_repeat_to_the_byte(
    watch: Watch, cars: list[Car], run_script: Script
) -> None:
    predict(watch, cars)
    watch.finds()
    assert watch.message == sha256(watch.folder / "found" / "monitoring.json")
    done = run_script("monitor", "auto_mpg", *watch.options(output=watch.folder / "again"), cwd=watch.folder)
    assert done.returncode == 0, done.stderr
    for name in ("monitoring.json", "statistics.json", "constraint_violations.json"):
        assert (watch.folder / "again" / name).read_bytes() == (watch.folder / "found" / name).read_bytes()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_digest": "sha256:0"}, "model.tar.gz was changed after it was registered"),
        ({"model": "gone.tar.gz"}, "gone.tar.gz is missing"),
    ],
)
def test_another_archive_than_the_registered_one_is_refused(
    changes: dict[str, object], reason: str, watch: Watch
) -> None:
    message = watch.fails(**changes)
    assert reason in message
    assert "Restore the version that was registered" in message


def test_an_archive_without_a_model_is_refused(watch: Watch) -> None:
    watch.model = watch.folder / "empty.tar.gz"
    watch.model.write_bytes(pack(("xgboost-model", b"{}")))
    assert "the live model cannot be used: empty.tar.gz holds no" in watch.fails()


def test_an_older_model_without_a_baseline_is_not_judged_and_says_so(watch: Watch, cars: list[Car]) -> None:
    with tarfile.open(watch.model) as tar:
        files = [(one.name, tar.extractfile(one)) for one in tar if not one.name.startswith("baseline/")]
        watch.model = watch.folder / "old.tar.gz"
        watch.model.write_bytes(pack(*((name, file.read()) for name, file in files if file)))
    predict(watch, cars)
    found = watch.finds()
    assert found.drift
    assert "without a baseline" in found.drift.problem
    assert (found.drift.rows, found.drift.tests) == (398, ())


def test_labels_that_came_later_give_the_error_in_the_wild(watch: Watch, cars: list[Car]) -> None:
    predict(watch, cars)
    prepare_own(watch.seen, cars)
    prepare(cars, watch.seen / "runs" / SECOND_RUN)
    found = watch.finds()
    assert found.quality
    assert (found.rows["labelled"], found.quality.rows) == (100, 100)
    assert (found.quality.metric, found.quality.better) == ("mse", "lower")
    assert 2 < found.quality.now < 25
    assert found.quality.low < found.quality.now - found.quality.at_approval < found.quality.high
    assert not found.degraded


def prepare_own(root: Path, cars: Sequence[Car]) -> None:
    """The upload that the batch was predicted for: a quarter of it has no labels."""
    some = [car if place % 4 else {**car, "mpg": ""} for place, car in enumerate(cars)]
    prepare(some, root / "runs" / FIRST_RUN)


def test_labels_that_contradict_the_answers_show_a_degraded_model(watch: Watch, cars: list[Car]) -> None:
    predict(watch, cars)
    prepare_own(watch.seen, cars)
    halved = [{**car, "mpg": str(float(car["mpg"]) / 2)} for car in cars]
    prepare(halved, watch.seen / "runs" / SECOND_RUN)
    found = watch.finds()
    assert found.degraded
    assert not found.drifted


def test_a_few_late_labels_are_said_and_not_judged(watch: Watch, cars: list[Car]) -> None:
    few = [{**car, "acceleration": str(float(car["acceleration"]) + 0.05)} for car in cars[:5]]
    write_captures(watch.seen, "auto_mpg", [event(line, "20.5") for line in lines(few)])
    prepare([*cars, *few], watch.seen / "runs" / SECOND_RUN)
    found = watch.finds()
    assert (found.quality, found.rows["labelled"]) == (None, 5)
    assert "5 rows with late labels are too few to judge the model's error." in found.problems


def test_predictions_from_before_the_window_count_for_labels_only(watch: Watch, cars: list[Car]) -> None:
    write_predictions(watch.earlier, FIRST_RUN, [f"{line},20.5" for line in lines(cars)])
    prepare_own(watch.earlier, cars)
    prepare(cars, watch.seen / "runs" / SECOND_RUN)
    assert watch.finds().rows == {"batch": 0, "endpoint": 0, "labelled": 0}
    found = watch.finds(earlier=watch.earlier)
    assert found.rows == {"batch": 0, "endpoint": 0, "labelled": 100}
    assert found.quality
