from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet
import pytest
import xgboost

from local.sagemaker.engines.processes import Command, Exit
from local.sagemaker.engines.xgboost_algorithm import main
from local.sagemaker.engines.xgboost_data import read_csv, read_parquet

if TYPE_CHECKING:
    from tests.unit.engines.conftest import Runner

SETTINGS = {"num_round": "5", "objective": "reg:squarederror", "eval_metric": "rmse", "max_depth": "3"}
# A model's file has no suffix in SageMaker.
pytestmark = pytest.mark.filterwarnings("ignore:.*UBJSON:UserWarning")
ALONE = {"current_host": "algo-1", "hosts": ["algo-1"]}
CSV = {"ContentType": "text/csv", "TrainingInputMode": "File"}


def make_root(
    root: Path,
    settings: Mapping[str, str] = SETTINGS,
    channels: Mapping[str, Mapping[str, str]] | None = None,
    cluster: Mapping[str, Any] | None = None,
    **files: str,
) -> Path:
    channels = {"train": CSV, "validation": CSV} if channels is None else channels
    (root / "input/config").mkdir(parents=True)
    (root / "input/config/hyperparameters.json").write_text(json.dumps(settings))
    (root / "input/config/inputdataconfig.json").write_text(json.dumps(channels))
    (root / "input/config/resourceconfig.json").write_text(json.dumps(cluster or ALONE))
    for channel in channels:
        folder = root / "input/data" / channel
        folder.mkdir(parents=True)
        (folder / f"{channel}.csv").write_text(files.get(channel, rows(40)))
    return root


def rows(count: int, seed: int = 1) -> str:
    """Numbers that are exact in binary: xgboost's reader of text is off by a bit on others."""
    draw = np.random.default_rng(seed)
    features = draw.integers(-12, 12, size=(count, 3)) / 4
    labels = 20 + features @ [3.0, -2.0, 0.5]
    return "".join(f"{label},{a},{b},{c}\n" for label, (a, b, c) in zip(labels, features, strict=True))


def failure(root: Path) -> str:
    return (root / "output/failure").read_text()


def metric_lines(output: str) -> list[str]:
    return [line for line in output.splitlines() if re.match(r"\[\d+\]\t", line)]


def test_a_training_writes_the_model_and_the_lines_that_the_container_prints(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = make_root(tmp_path, validation=rows(20, seed=2))

    assert main(root) == 0
    output = capfd.readouterr()
    assert "INFO] Train matrix has 40 rows and 3 columns" in output.out
    assert "INFO] Validation matrix has 20 rows" in output.out
    lines = metric_lines(output.out)
    assert len(lines) == 5
    assert re.fullmatch(r"\[4\]\ttrain-rmse:\d+\.\d{5}\tvalidation-rmse:\d+\.\d{5}", lines[-1])
    assert output.err == ""
    assert [path.name for path in (root / "model").iterdir()] == ["xgboost-model"]
    booster = xgboost.Booster(model_file=root / "model/xgboost-model")
    assert booster.num_boosted_rounds() == 5
    assert not (root / "output").exists()


def test_the_last_metric_is_the_models_own_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = make_root(tmp_path, SETTINGS | {"eval_metric": "rmse,mae,mse,r2"})
    assert main(root) == 0

    table = np.loadtxt(root / "input/data/train/train.csv", delimiter=",")
    labels = table[:, 0]
    errors = labels - xgboost.Booster(model_file=root / "model/xgboost-model").predict(
        xgboost.DMatrix(table[:, 1:])
    )
    last = metric_lines(capfd.readouterr().out)[-1]
    printed = {name: float(value) for name, value in re.findall(r"train-(\w+):(\S+)", last)}
    assert printed == pytest.approx(
        {
            "rmse": np.sqrt(np.mean(errors**2)),
            "mae": np.mean(np.abs(errors)),
            "mse": np.mean(errors**2),
            "r2": 1 - np.mean(errors**2) / np.var(labels),
        },
        abs=1e-4,
    )


def test_the_metric_of_a_tuning_job_is_printed_without_being_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = {
        "num_round": "1",
        "objective": "reg:squarederror",
        "_tuning_objective_metric": "validation:mae",
    }

    assert main(make_root(tmp_path, settings)) == 0
    assert re.search(r"\tvalidation-mae:\d", capfd.readouterr().out)


def test_training_without_validation_data_is_allowed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(make_root(tmp_path, channels={"train": CSV})) == 0
    assert re.fullmatch(r"\[0\]\ttrain-rmse:\S+", metric_lines(capfd.readouterr().out)[0])


def test_early_stopping_keeps_the_best_round(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    settings = SETTINGS | {"num_round": "200", "early_stopping_rounds": "3", "eta": "0.9", "max_depth": "8"}
    root = make_root(tmp_path, settings, validation=rows(20, seed=9))

    assert main(root) == 0
    errors = [float(line.rpartition(":")[2]) for line in metric_lines(capfd.readouterr().out)]
    assert len(errors) < 200
    rounds = xgboost.Booster(model_file=root / "model/xgboost-model").num_boosted_rounds()
    assert rounds == int(np.argmin(errors)) + 1 == len(errors) - 3


def test_the_files_of_a_channel_are_read_together_whatever_their_folder_is_called(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = make_root(Path("a&b ?format=libsvm#c"))
    (root / "input/data/train/more").mkdir()
    (root / "input/data/train/more/part-2").write_text(rows(7))

    assert main(root) == 0
    assert "Train matrix has 47 rows and 3 columns" in capfd.readouterr().out


def test_files_that_come_and_go_beside_the_data_do_not_disturb_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """xgboost looks at everything beside the folder it is given: other jobs' folders, gone a moment later."""
    beside: list[str] = []
    read = xgboost.DMatrix

    def watched(uri: str) -> xgboost.DMatrix:
        folder = Path(uri.partition("?")[0])
        beside.extend(path.name for path in folder.parent.iterdir() if path != folder)
        return read(uri)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "of another job").mkdir()
    (tmp_path / "data.csv").write_text(rows(10))
    monkeypatch.setattr(xgboost, "DMatrix", watched)
    assert read_csv([tmp_path / "data.csv"], weights=False).num_row() == 10
    assert beside == []


def test_the_traps_of_the_real_container_are_traps_here_too(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A header becomes a row and an empty label a value, without an error: only the count of rows shows it."""
    data = "mpg,weight,year\n18,3504,70\n,3436,70\n15,?,70\n"

    assert main(make_root(tmp_path, channels={"train": CSV}, train=data)) == 0
    assert "Train matrix has 4 rows and 2 columns" in capfd.readouterr().out


def test_instance_weights_may_be_in_the_second_column(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(make_root(tmp_path, SETTINGS | {"csv_weights": "1"}, train=rows(30).replace("-", ""))) == 0
    assert "Train matrix has 30 rows and 2 columns" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("settings", "channels", "files", "message"),
    [
        (SETTINGS | {"n_estimators": "9"}, None, {}, "Extraneous hyperparameter found: n_estimators"),
        (SETTINGS, {"validation": CSV}, {}, "Missing required channel: train"),
        (SETTINGS, {"train": CSV, "test": CSV}, {}, "Extraneous channel found: test"),
        (SETTINGS, {"train": {}}, {}, "content type text/libsvm is not supported locally"),
        (
            SETTINGS,
            {"train": {"ContentType": "text/csv; label_size=1"}},
            {},
            "is not an accepted ContentType",
        ),
        (SETTINGS, None, {"train": ""}, "No data in training channel path"),
        (SETTINGS, None, {"validation": ""}, "No data in validation channel path"),
        (SETTINGS, None, {"train": "\n1,2\n"}, "Could not determine delimiter"),
        (SETTINGS | {"tree_method": "gpu_hist"}, None, {}, "gpu_hist"),
        (SETTINGS | {"_kfold": "3"}, None, {}, "not supported locally"),
        (
            SETTINGS | {"objective": "binary:logistic", "eval_metric": "f1"},
            None,
            {},
            "metric f1 is not supported locally",
        ),
        (
            SETTINGS | {"objective": "binary:logistic", "eval_metric": "logloss"},
            None,
            {},
            "must be in (0,1) for the logistic loss",
        ),
    ],
)
def test_a_failure_leaves_its_reason_and_no_model(
    tmp_path: Path,
    settings: dict[str, str],
    channels: dict[str, dict[str, str]] | None,
    files: dict[str, Any],
    message: str,
) -> None:
    root = make_root(tmp_path, settings, channels, **files)

    assert main(root) == 1
    assert message in failure(root)
    assert "Stack trace" not in failure(root)
    assert not (root / "model/xgboost-model").exists()


@pytest.mark.enable_socket
def test_a_training_can_be_stopped_halfway_and_leaves_its_newest_model(
    runner: Runner, tmp_path: Path
) -> None:
    settings = SETTINGS | {"num_round": "1000000", "save_model_on_termination": "true"}
    root = make_root(tmp_path / "ml", settings)
    first_rounds = threading.Event()
    command = Command(("-m", "local.sagemaker.engines.xgboost_algorithm", str(root)), {}, root)
    run = runner.spawn(command, on_line=lambda line: first_rounds.set() if line.startswith("[5]") else None)

    assert first_rounds.wait(20)
    run.process.stop(grace=10)
    assert run.wait() == Exit(0, "stopped")
    assert xgboost.Booster(model_file=root / "model/xgboost-model").num_boosted_rounds() >= 5


def make_parquet_root(root: Path, *parts: pyarrow.Table) -> Path:
    parquet = {"ContentType": "application/x-parquet"}
    make_root(root, channels={"train": parquet, "validation": parquet})
    for channel in ("train", "validation"):
        folder = root / "input/data" / channel
        (folder / f"{channel}.csv").unlink()
        for number, part in enumerate(parts):
            pyarrow.parquet.write_table(part, folder / f"{channel}-{number:05}.parquet")
    return root


def table_of(text: str) -> pyarrow.Table:
    """The rows as float32 in columns whose names mean nothing, the label first."""
    numbers = np.array([line.split(",") for line in text.splitlines()], dtype=np.float32)
    return pyarrow.table({f"name {number}": column for number, column in enumerate(numbers.T)})


def test_parquet_in_several_files_gives_the_model_that_the_same_rows_as_csv_give(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    parts = (table_of(rows(40)), table_of(rows(10, seed=3)))
    assert main(make_parquet_root(tmp_path / "parquet", *parts)) == 0
    assert "Train matrix has 50 rows and 3 columns" in capfd.readouterr().out

    text = rows(40) + rows(10, seed=3)
    assert main(make_root(tmp_path / "csv", train=text, validation=text)) == 0
    models = [(tmp_path / each / "model/xgboost-model").read_bytes() for each in ("parquet", "csv")]
    assert models[0] == models[1]


def test_a_missing_value_of_parquet_is_missing_to_the_model(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    columns = {"label": [1.0, 2.0], "a": [None, 3.0], "b": [4.0, float("nan")]}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    assert read_parquet([path]).num_nonmissing() == 2


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": ["one", "two"], "a": [1.0, 2.0]}, "Failed to load parquet data with exception:"),
        ({"label": [1.0, None], "a": [1.0, 2.0]}, "Label contains NaN"),
        ({"label": [], "a": []}, "without labels"),
    ],
)
def test_parquet_that_cannot_be_trained_on_is_refused(
    columns: dict[str, list[Any]], message: str, tmp_path: Path
) -> None:
    root = make_parquet_root(tmp_path, pyarrow.table(columns))
    assert main(root) == 1
    assert message in failure(root)
    assert "Stack trace" not in failure(root)
