import csv
import hashlib
import json
import math
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from auto_mpg import onnx_inference
from auto_mpg.errors import POINTS, Errors
from auto_mpg.evaluate import MODEL_FILES, measure, requests
from common.baseline_files import FILES as BASELINE
from common.bundle import read_files
from common.cluster import Local
from common.evaluating import main
from common.evaluation import Evaluation, Scatter
from common.live_model import KNOWN_ROWS
from common.preprocessing import preprocess
from common.workload import find_workload
from tests.unit.processing.common.test_content_hash import one_by_one
from tests.unit.processing.conftest import WITHOUT_PANDAS, Script, pack, sha256

ARN = "arn:aws:sagemaker:us-east-1:000000000000:model-package/mpg/7"
Numbers = NDArray[np.float64]


def arguments(folder: Path, model: Path, prepared: Path, *more: object) -> list[str]:
    options: list[object] = ["--model", model, "--prepared", prepared, "--output", folder / "out"]
    options += ["--prepared-digest", sha256(prepared / "summary.json"), "--exit-message", folder / "message"]
    return list(map(str, [*options, *more]))


def evaluate(*options: Any) -> int:
    return main(find_workload("auto_mpg"), arguments(*options))


def evaluation(folder: Path) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads((folder / "out" / "evaluation.json").read_text(), parse_constant=refuse)


def points(result: Any) -> list[list[float]]:
    """Actual and predicted labels, as the first figure shows them."""
    return list(result["figures"][0]["points"])


def value(result: Any, metric: str) -> float:
    return float({found["name"]: found["value"] for found in result["metrics"]}[metric])


@pytest.fixture(scope="module")
def evaluated(
    tmp_path_factory: pytest.TempPathFactory, run_script: Script, trained: Path, prepared: Path
) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    done = run_script("evaluate", "auto_mpg", *arguments(folder, trained, prepared), cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def prepare_by_hand(sample_rows: list[dict[str, str]]) -> tuple[Numbers, Numbers, Numbers]:
    """Train labels, test labels and test features of the sample, after design and not after the code under test."""
    table = np.array([[float(v) if v != "?" else np.nan for v in list(r.values())[:8]] for r in sample_rows])

    table = table[np.argsort(np.array([one_by_one(row[1:].tolist()) for row in table], np.uint64))]
    train, test = table[:278], table[338:]
    median = np.nanmedian(train[:, 3])
    for part in (train, test):
        part[np.isnan(part[:, 3]), 3] = median
    numbers = (test[:, 1:7] - train[:, 1:7].mean(axis=0)) / train[:, 1:7].std(axis=0)
    return (
        train[:, 0],
        test[:, 0],
        np.column_stack([numbers, *(test[:, 7] == origin for origin in (1, 2, 3))]),
    )


def test_the_predictions_are_the_boosters_for_features_computed_by_hand(
    evaluated: Path, booster: Any, sample_rows: list[dict[str, str]]
) -> None:
    train_labels, labels, features = prepare_by_hand(sample_rows)
    predicted = booster.predict(xgboost.DMatrix(features, nthread=1)).astype(float)
    errors = predicted - labels
    result = evaluation(evaluated)
    metrics = result["regression_metrics"]
    assert [actual for actual, _ in points(result)] == pytest.approx(labels.tolist())
    assert [guess for _, guess in points(result)] == pytest.approx(predicted.tolist())
    assert metrics["mse"]["value"] == pytest.approx((errors**2).mean())
    assert metrics["mse"]["standard_deviation"] == pytest.approx(errors.std())
    assert metrics["rmse"]["value"] == pytest.approx((errors**2).mean() ** 0.5)
    assert metrics["mae"]["value"] == pytest.approx(abs(errors).mean())
    assert metrics["r2"]["value"] == pytest.approx(
        1 - (errors**2).sum() / ((labels - labels.mean()) ** 2).sum()
    )
    assert result["baseline"]["value"] == pytest.approx(((labels - train_labels.mean()) ** 2).mean())


def test_the_model_is_far_better_than_guessing_the_mean(evaluated: Path) -> None:
    result = evaluation(evaluated)
    assert value(result, "mse") < result["baseline"]["value"] / 3


def test_the_metrics_are_those_of_sagemakers_layout_with_the_gates_first(evaluated: Path) -> None:
    result = evaluation(evaluated)
    layout = result["regression_metrics"]
    assert [metric["name"] for metric in result["metrics"]] == [
        "mse",
        "rmse",
        "residual_standard_deviation",
        "mae",
        "r2",
    ]
    assert {name: value(result, name) for name in layout} == {n: v["value"] for n, v in layout.items()}
    assert value(result, "residual_standard_deviation") == layout["mse"]["standard_deviation"]
    assert [metric["better"] for metric in result["metrics"]] == [*["lower"] * 4, "higher"]


def test_errors_are_shown_around_zero(evaluated: Path) -> None:
    result = evaluation(evaluated)
    errors = result["figures"][1]
    assert (errors["line"], errors["x_label"], errors["y_label"]) == (
        "zero",
        "predicted mpg",
        "actual - predicted",
    )
    assert errors["points"] == [[guess, pytest.approx(actual - guess)] for actual, guess in points(result)]


def test_the_evaluation_is_read_again_and_passes_the_gate(evaluated: Path) -> None:
    found = Evaluation.from_json(evaluation(evaluated))
    assert found.passed
    assert found.batch_columns[-1] == "predicted mpg"
    assert len(found.batch_columns) == 9
    assert len(found.figures) == 2


def test_the_first_test_rows_are_kept_with_the_answers(evaluated: Path) -> None:
    found = Evaluation.from_json(evaluation(evaluated)).smoke_test
    assert found
    assert found.rows == len(found.request.splitlines()) == 20
    assert [float(line) for line in found.answer.splitlines()] == [
        guess for _, guess in points(evaluation(evaluated))[:20]
    ]


def test_rows_are_counted_and_without_a_champion_there_is_none(evaluated: Path) -> None:
    result = evaluation(evaluated)
    assert result["rows"]["train"] == 278
    assert result["rows"]["batch"] == 60
    assert (result["champion"], result["champion_problem"]) == (None, "")


def test_the_evaluation_has_digests_and_the_exit_message_is_its_own(
    evaluated: Path, trained: Path, sample: bytes
) -> None:
    digests = evaluation(evaluated)["digests"]
    assert digests["upload"] == f"sha256:{hashlib.sha256(sample).hexdigest()}"
    assert digests["trained_model"] == sha256(trained)
    assert digests["model"] == sha256(evaluated / "out" / "model.tar.gz")
    assert (evaluated / "message").read_text() == sha256(evaluated / "out" / "evaluation.json")


def test_the_model_is_there_as_onnx_too_and_predicts_the_same(evaluated: Path, prepared: Path) -> None:
    result = evaluation(evaluated)
    path = evaluated / "out" / "model.onnx"
    rows = json.loads((prepared / "summary.json").read_text())["rows"]["test"]
    assert result["onnx"] == {
        "rows": rows,
        "largest_difference": 0.0,
        "tolerance": 1e-6,
        "bytes": path.stat().st_size,
    }
    assert result["digests"]["onnx"] == sha256(path)


def shift_numbers(feed: Any) -> Any:
    def shifted(request: bytes, content_type: str) -> Any:
        tensors = feed(request, content_type)
        return {**tensors, "numbers": tensors["numbers"] + 1}

    return shifted


def test_an_onnx_model_that_predicts_something_else_ends_the_job(
    trained: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_inference, "feed", shift_numbers(onnx_inference.feed))
    assert evaluate(tmp_path, trained, prepared) == 1
    message = (tmp_path / "message").read_text()
    assert re.fullmatch(
        r"model\.onnx does not predict what the model predicts: line \d+: [\d.]+ instead of [\d.]+; more than 1e-06 apart",
        message,
    )
    assert not (tmp_path / "out" / "evaluation.json").exists()


def test_the_test_rows_are_compared_in_requests_that_fit_into_memory(
    trained: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auto_mpg.labelled._LINES_A_REQUEST", 7)
    assert evaluate(tmp_path, trained, prepared) == 0
    assert len(list(requests(prepared))) == math.ceil(evaluation(tmp_path)["onnx"]["rows"] / 7)
    assert "".join(requests(prepared)).count("\n") == evaluation(tmp_path)["onnx"]["rows"]


def test_the_bundle_serves_by_itself(evaluated: Path, prepared: Path, tmp_path: Path) -> None:
    bundle = evaluated / "out" / "model.tar.gz"
    with tarfile.open(bundle) as tar:
        names = set(tar.getnames())
        assert {name for name in names if "/" not in name} == {*MODEL_FILES}
        assert {"code/wsgi.py", "code/inference.py", "code/auto_mpg/inference.py"} < names
        assert {*BASELINE, KNOWN_ROWS} < names
        assert {Path(name).suffix for name in names - {*BASELINE, KNOWN_ROWS} if "/" in name} == {".py"}
    shutil.unpack_archive(bundle, tmp_path)
    code = (
        f"{WITHOUT_PANDAS}; import wsgi, io; body = sys.stdin.buffer.read(); "
        "environ = {'PATH_INFO': '/invocations', 'REQUEST_METHOD': 'POST', 'CONTENT_TYPE': 'text/csv', "
        "'CONTENT_LENGTH': str(len(body)), 'wsgi.input': io.BytesIO(body)}; "
        "sys.stdout.buffer.write(b''.join(wsgi.main(environ, lambda *_: None)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=(prepared / "batch" / "batch.csv").read_text(),
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "code")},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    predicted = [guess for _, guess in points(evaluation(evaluated))]
    assert [float(line) for line in done.stdout.splitlines()] == predicted


def test_the_same_model_gives_the_same_bundle(
    evaluated: Path, trained: Path, prepared: Path, tmp_path: Path
) -> None:
    assert evaluate(tmp_path, trained, prepared) == 0
    assert (tmp_path / "out" / "model.tar.gz").read_bytes() == (
        evaluated / "out" / "model.tar.gz"
    ).read_bytes()


def test_the_champion_is_measured_on_the_same_rows(
    evaluated: Path, trained: Path, prepared: Path, tmp_path: Path
) -> None:
    champion = evaluated / "out" / "model.tar.gz"
    code = evaluate(tmp_path, trained, prepared, "--champion", champion, "--champion-arn", ARN)
    assert code == 0
    found = evaluation(tmp_path)["champion"]
    change = found.pop("change")
    mse = value(evaluation(tmp_path), "mse")
    equal = {"difference": 0, "low": 0, "high": 0, "level": 0.95, "rows": 60, "resamples": 2000}
    assert found == {"model_package_arn": ARN, "value": mse, "comparison": equal}
    assert (change["metric"], change["now"], change["rows"], change["degraded"]) == ("mse", mse, 60, False)
    assert change["at_approval"] == change["now"]
    assert change["low"] == -change["high"] < 0


def test_a_model_has_a_baseline_beside_it_and_in_its_archive(evaluated: Path) -> None:
    found = evaluation(evaluated)
    packed = read_files(evaluated / "out" / "model.tar.gz", set(BASELINE))
    for name in BASELINE:
        assert packed[name] == (evaluated / "out" / name).read_bytes()
        assert found["digests"][name] == sha256(evaluated / "out" / name)
    statistics, limits, quality, quality_limits = (json.loads(packed[name]) for name in BASELINE)
    assert statistics["dataset"]["item_count"] == 398
    names = [feature["name"] for feature in statistics["features"]]
    assert names == [
        "cylinders",
        "displacement",
        "horsepower",
        "weight",
        "acceleration",
        "model_year",
        "origin",
        "prediction",
    ]
    assert [feature["name"] for feature in limits["features"]] == names
    assert limits["monitoring_config"]["distribution_constraints"]["comparison_threshold"] == 0.1
    power = statistics["features"][2]["numerical_statistics"]
    assert power["common"] == {"num_present": 392, "num_missing": 6}
    assert quality["dataset"] == {"item_count": 60}
    assert quality["regression_metrics"] == found["regression_metrics"]
    assert quality["gate"]["mean"] == value(found, "mse")
    assert quality_limits["regression_constraints"]["mse"] == {
        "threshold": value(found, "mse"),
        "comparison_operator": "GreaterThanThreshold",
    }
    assert quality_limits["regression_constraints"]["r2"]["comparison_operator"] == "LessThanThreshold"


def test_a_champion_sees_no_drift_in_the_upload_that_it_was_trained_on(
    evaluated: Path, trained: Path, prepared: Path, tmp_path: Path
) -> None:
    champion = evaluated / "out" / "model.tar.gz"
    assert evaluate(tmp_path, trained, prepared, "--champion", champion, "--champion-arn", ARN) == 0
    drift = Evaluation.from_json(evaluation(tmp_path)).drift
    assert drift is not None
    assert (drift.model_package_arn, drift.baseline_rows, drift.rows, drift.problem) == (ARN, 398, 398, "")
    assert len(drift.tests) == 7 * 3 + 2
    assert not drift.drifted
    assert evaluation(evaluated)["drift"] is None


def test_a_champion_sees_the_weights_that_came_in_kilograms(
    evaluated: Path, trained: Path, sample_rows: list[dict[str, str]], tmp_path: Path
) -> None:
    upload = tmp_path / "kilograms.csv"
    with upload.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(sample_rows[0]))
        writer.writeheader()
        writer.writerows({**row, "weight": f"{float(row['weight']) * 0.45359237:.1f}"} for row in sample_rows)
    digest = sha256(upload)
    folder = tmp_path / "prepared"
    preprocess(find_workload("auto_mpg"), upload, digest, folder, "s3://bucket/x", upload.name, Local())
    champion = evaluated / "out" / "model.tar.gz"
    options = ["--champion", champion, "--champion-arn", ARN, "--drift-distance", "0.2"]
    assert evaluate(tmp_path, trained, folder, *options) == 0
    drift = Evaluation.from_json(evaluation(tmp_path)).drift
    assert drift is not None
    # The champion also answers otherwise.
    assert drift.drifted_features == ["weight", "prediction"]
    assert {test.threshold for test in drift.tests if test.test == "missing"} == {0.2}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (dict.fromkeys(BASELINE), "was registered without a baseline"),
        ({BASELINE[2]: None}, "was registered without a baseline"),
        ({BASELINE[0]: b"{}"}, "is damaged"),
        ({BASELINE[0]: b"\xff"}, "is damaged"),
        ({BASELINE[1]: b"{"}, "is damaged"),
        ({BASELINE[2]: b"["}, "is damaged"),
    ],
)
def test_a_champion_without_a_whole_baseline_is_said(
    change: dict[str, bytes | None],
    problem: str,
    evaluated: Path,
    trained: Path,
    prepared: Path,
    tmp_path: Path,
) -> None:
    champion = tmp_path / "champion.tar.gz"
    files = read_files(evaluated / "out" / "model.tar.gz", {*MODEL_FILES, *BASELINE})
    champion.write_bytes(
        pack(*((name, content) for name, content in {**files, **change}.items() if content is not None))
    )
    assert evaluate(tmp_path, trained, prepared, "--champion", champion, "--champion-arn", ARN) == 0
    found = Evaluation.from_json(evaluation(tmp_path))
    assert found.drift is not None
    assert problem in found.drift.problem
    assert (found.drift.tests, found.drift.significance) == ((), 0.001)
    assert found.champion is not None
    assert found.champion.change is None


def test_the_code_of_a_champion_is_not_run(
    evaluated: Path, trained: Path, prepared: Path, tmp_path: Path
) -> None:
    with tarfile.open(evaluated / "out" / "model.tar.gz") as tar:
        files = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
    files["code/inference.py"] = b"raise SystemExit('run')"
    # Champions of earlier versions have none.
    del files["code/wsgi.py"]
    champion = tmp_path / "champion.tar.gz"
    champion.write_bytes(pack(*files.items()))
    code = evaluate(tmp_path, trained, prepared, "--champion", champion, "--champion-arn", ARN)
    assert code == 0
    assert evaluation(tmp_path)["champion"]["model_package_arn"] == ARN


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ([], "champion.tar.gz holds no preprocessor.json and no xgboost-model and no xgboost-version"),
        (
            [("xgboost-version", b"2.1.4"), ("preprocessor.json", b"{}"), ("xgboost-model", b"")],
            f"made with XGBoost 2.1.4, but this is XGBoost {xgboost.__version__}",
        ),
        (
            [("xgboost-version", b"3.2.0"), ("preprocessor.json", b"{}"), ("xgboost-model", b"")],
            "preprocessor.json is damaged",
        ),
    ],
)
def test_a_champion_that_cannot_be_used_does_not_stop_the_new_model(
    files: list[tuple[str, bytes]],
    problem: str,
    trained: Path,
    prepared: Path,
    tmp_path: Path,
) -> None:
    champion = tmp_path / "champion.tar.gz"
    champion.write_bytes(pack(*files))
    code = evaluate(tmp_path, trained, prepared, "--champion", champion, "--champion-arn", ARN)
    assert code == 0
    assert evaluation(tmp_path)["champion"] is None
    assert evaluation(tmp_path)["champion_problem"] == f"{ARN} cannot be compared: {problem}"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda _: b"", "model.tar.gz is damaged"),
        (lambda _: b"not gzip", "model.tar.gz is no whole gzip file"),
        (lambda archive: archive[:-1000], "model.tar.gz is no whole gzip file"),
        (lambda _: pack(), "model.tar.gz holds no xgboost-model"),
        (lambda _: pack(("model.pkl", b"x")), "model.tar.gz holds no xgboost-model"),
        (
            lambda _: pack(("xgboost-model", b"x")),
            "xgboost-model is missing or no whole XGBoost model",
        ),
    ],
)
def test_a_model_that_is_broken_ends_the_job_with_its_reason(
    spoil: Callable[[bytes], bytes],
    reason: str,
    trained: Path,
    prepared: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "model.tar.gz").write_bytes(spoil(trained.read_bytes()))
    assert evaluate(tmp_path, tmp_path / "model.tar.gz", prepared) == 1
    message = f"the trained model cannot be evaluated: {reason}"
    assert (tmp_path / "message").read_text() == message
    assert capsys.readouterr().err == message + "\n"
    assert not (tmp_path / "out" / "evaluation.json").exists()


def test_a_model_that_is_missing_ends_the_job_without_a_traceback(
    prepared: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = evaluate(tmp_path, Path("model.tar.gz"), prepared)
    message = "the trained model cannot be evaluated: model.tar.gz is missing\n"
    assert (code, *capfd.readouterr()) == (1, "", message)


def test_at_most_200_predictions_are_shown(trained: Path, prepared: Path, tmp_path: Path) -> None:
    header, *rows = csv.reader((prepared / "test" / "test.csv").open())
    shutil.copytree(prepared, tmp_path / "prepared")
    with (tmp_path / "prepared/test/test.csv").open("w") as stream:
        csv.writer(stream).writerows([header, *rows * 4])
    summary = tmp_path / "prepared/summary.json"
    content = json.loads(summary.read_text())
    content["digests"]["test/test.csv"] = sha256(tmp_path / "prepared/test/test.csv")
    summary.write_text(json.dumps(content))
    assert evaluate(tmp_path, trained, tmp_path / "prepared") == 0
    result = evaluation(tmp_path)
    assert [len(figure["points"]) for figure in result["figures"]] == [POINTS, POINTS] == [200, 200]


@pytest.mark.parametrize(("off", "r2"), [(0.0, 1.0), (1.0, 0.0)])
def test_r_squared_of_equal_labels_is_0_or_1(off: float, r2: float) -> None:
    same = np.full(3, 20.0)
    assert Errors.of(same, same + off, 20.0, np.float64).r2 == r2


def split_test_rows(prepared: Path, folder: Path) -> Path:
    """The same prepared files, with the test rows in files of 23, 23 and 14."""
    shutil.copytree(prepared, folder)
    header, *rows = (folder / "test" / "test.csv").read_text().splitlines(keepends=True)
    (folder / "test" / "test.csv").unlink()
    for number, start in enumerate(range(0, len(rows), 23)):
        (folder / "test" / f"test-{number:05}.csv").write_text(header + "".join(rows[start : start + 23]))
    return folder


@pytest.mark.parametrize("workers", [1, 2])
def test_rows_in_several_files_are_measured_as_in_one(
    workers: int, bundle: Path, prepared: Path, tmp_path: Path
) -> None:
    whole = measure(bundle, prepared, Local(workers=1))
    parts = measure(bundle, split_test_rows(prepared, tmp_path / "parts"), Local(workers=workers))
    assert (parts.metrics, parts.baseline, parts.model_quality) == (
        whole.metrics,
        whole.baseline,
        whole.model_quality,
    )
    assert parts.smoke_test == whole.smoke_test
    assert isinstance(whole.gate_values, np.ndarray)
    assert isinstance(parts.gate_values, np.ndarray)
    assert (whole.gate_values.dtype, parts.gate_values.dtype) == (np.float64, np.float32)
    assert parts.gate_values.tolist() == whole.gate_values.astype(np.float32).tolist()
    assert "".join(requests(tmp_path / "parts")) == "".join(requests(prepared))


def test_a_sample_of_several_files_takes_rows_of_each(bundle: Path, prepared: Path, tmp_path: Path) -> None:
    shown = measure(bundle, split_test_rows(prepared, tmp_path / "parts"), Local(workers=1)).figures[0]
    labels = [
        float(line.partition(",")[0]) for line in (prepared / "test/test.csv").read_text().splitlines()[1:]
    ]
    assert isinstance(shown, Scatter)
    assert [actual for actual, _ in shown.points[:6]] == [labels[row] for row in (0, 23, 46, 1, 24, 47)]
    assert len(shown.points) == len(labels)
