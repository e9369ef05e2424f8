"""Processing job: build the model bundle and measure it on the test rows, with the code that serves it."""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import xgboost
from numpy.typing import NDArray

import inference
import job
from bundle import BadArchive, read_files, write_archive
from digests import ChangedFile, check_prepared, file_digest

PREDICTIONS_SHOWN = 200

Numbers = NDArray[np.float64]


class BadModel(Exception):
    """The trained model cannot be evaluated; `str(error)` says why."""


@dataclass(frozen=True)
class LabelledRows:
    labels: Numbers
    raw: str
    """The rows as a caller of the model sends them."""


@dataclass(frozen=True)
class Champion:
    archive: Path
    """Not there if the state machine did not find it among the kept models."""
    arn: str
    digest: str | None
    """What its package says that the archive is; None of one that was registered by hand."""


def evaluate(
    model: Path, prepared: Path, prepared_digest: str, output: Path, champion: Champion | None
) -> str:
    """Write the bundle and `evaluation.json`, and return the digest of the latter.

    Raises ChangedFile unless `prepared` is what preprocess.py left, and BadModel.
    """
    summary = check_prepared(prepared, prepared_digest)
    output.mkdir(parents=True, exist_ok=True)
    rows = _read_test_rows(prepared / "test" / "test.csv")
    with tempfile.TemporaryDirectory() as folder:
        try:
            _fill_bundle(Path(folder), model, prepared)
            predicted = _predict(Path(folder), rows.raw)
        except (BadArchive, inference.UnusableModel) as error:
            raise BadModel(f"the trained model cannot be evaluated: {error}") from error
        files_digest = inference.files_digest(Path(folder))
        write_archive(output / "model.tar.gz", Path(folder))
    evaluation = {
        "regression_metrics": _metrics(rows.labels, predicted),
        "baseline": {"mse": _mse(rows.labels, np.full_like(rows.labels, _mean_train_label(prepared)))},
        **_compare(champion, rows),
        "rows": summary["rows"],
        "digests": {
            "upload": summary["upload_digest"],
            "trained_model": file_digest(model),
            "model": file_digest(output / "model.tar.gz"),
            "model_files": files_digest,
        },
        "test_predictions": _show(rows.labels, predicted),
    }
    text = json.dumps(evaluation, indent=2, allow_nan=False)
    (output / "evaluation.json").write_text(text + "\n", encoding="utf-8")
    print(json.dumps({name: found for name, found in evaluation.items() if name != "test_predictions"}))
    return file_digest(output / "evaluation.json")


def _fill_bundle(folder: Path, model: Path, prepared: Path) -> None:
    (folder / inference.BOOSTER).write_bytes(read_files(model, {inference.BOOSTER})[inference.BOOSTER])
    shutil.copyfile(prepared / inference.PREPROCESSOR, folder / inference.PREPROCESSOR)
    (folder / inference.XGBOOST_VERSION).write_text(xgboost.__version__ + "\n", encoding="utf-8")
    (folder / "code").mkdir()
    for name in inference.CODE:
        shutil.copyfile(Path(__file__).parent / name, folder / "code" / name)


def _predict(folder: Path, raw: str) -> Numbers:
    """What a caller of the model would be answered."""
    predictions = inference.predict_fn(inference.input_fn(raw, "text/csv"), inference.model_fn(str(folder)))
    body, _ = inference.output_fn(predictions, "text/csv")
    predicted = np.array([float(line) for line in body.splitlines()])
    if not np.isfinite(predicted).all():
        raise inference.UnusableModel("predicts something that is no number")
    return predicted


def _read_test_rows(path: Path) -> LabelledRows:
    with path.open(encoding="utf-8", newline="") as stream:
        _, *rows = csv.reader(stream)
    return LabelledRows(np.array([float(label) for label, *_ in rows]), _to_csv(raw for _, *raw in rows))


def _to_csv(rows: Iterable[Sequence[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def _mean_train_label(prepared: Path) -> float:
    with (prepared / "train" / "train.csv").open(encoding="utf-8") as stream:
        return math.fsum(labels := [float(line.partition(",")[0]) for line in stream]) / len(labels)


def _metrics(actual: Numbers, predicted: Numbers) -> dict[str, dict[str, float]]:
    """The layout of SageMaker's model quality reports; `standard_deviation` is that of the errors."""
    mse = _mse(actual, predicted)
    return {
        "mse": {"value": mse, "standard_deviation": float(np.std(predicted - actual))},
        "rmse": {"value": math.sqrt(mse)},
        "mae": {"value": float(np.mean(np.abs(predicted - actual)))},
        "r2": {"value": _r2(actual, mse)},
    }


def _mse(actual: Numbers, predicted: Numbers) -> float:
    return float(np.mean((predicted - actual) ** 2))


def _r2(actual: Numbers, mse: float) -> float:
    """Labels that are all the same leave nothing to explain: then 1 for exact predictions, otherwise 0."""
    variance = float(np.var(actual))
    return 1 - mse / variance if variance else float(mse == 0)


def _compare(champion: Champion | None, rows: LabelledRows) -> dict[str, object]:
    """The champion on the same rows. One that cannot be used is no reason to stop: it may be replaced now."""
    if champion is None:
        return {"champion": None}
    try:
        if not champion.archive.is_file():
            raise BadArchive("its model.tar.gz was deleted, or was never among the pipeline's kept models")
        if champion.digest and file_digest(champion.archive) != champion.digest:
            raise BadArchive("its model.tar.gz was changed after it was registered")
        mse = _mse(rows.labels, _predict_with_champion(champion.archive, rows.raw))
    except (BadArchive, inference.UnusableModel) as error:
        return {"champion": None, "champion_problem": f"{champion.arn} cannot be compared: {error}"}
    return {"champion": {"model_package_arn": champion.arn, "mse": mse}}


def _predict_with_champion(archive: Path, raw: str) -> Numbers:
    """With today's code on the champion's numbers; the code inside its bundle is not run."""
    names = {inference.BOOSTER, inference.PREPROCESSOR, inference.XGBOOST_VERSION}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in read_files(archive, names).items():
            (Path(folder) / name).write_bytes(content)
        return _predict(Path(folder), raw)


def _show(actual: Numbers, predicted: Numbers) -> list[dict[str, float]]:
    pairs = zip(actual.tolist(), predicted.tolist(), strict=True)
    return [{"actual": a, "predicted": p} for a, p in pairs][:PREDICTIONS_SHOWN]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model.tar.gz of the best training job")
    parser.add_argument("--prepared", type=Path, required=True, help="folder that preprocess.py wrote")
    parser.add_argument("--prepared-digest", required=True, help="digest of its summary.json")
    parser.add_argument(
        "--output", type=Path, required=True, help="folder for the bundle and evaluation.json"
    )
    parser.add_argument("--exit-message", type=Path, required=True, help="file for a digest or a failure")
    parser.add_argument("--champion", type=Path, help="bundle of the newest approved model package")
    parser.add_argument("--champion-arn", help="its ARN")
    parser.add_argument("--champion-digest", help="digest of the bundle, as the package says")
    args = parser.parse_args(arguments)
    if (args.champion is None) != (args.champion_arn is None):
        parser.error("--champion and --champion-arn belong together")
    champion = Champion(args.champion, args.champion_arn, args.champion_digest) if args.champion else None
    work = partial(evaluate, args.model, args.prepared, args.prepared_digest, args.output, champion)
    return job.run(work, args.exit_message, known=(BadModel, ChangedFile))


if __name__ == "__main__":
    sys.exit(main())
