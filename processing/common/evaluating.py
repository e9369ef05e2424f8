"""The processing job that builds the model bundle and measures it on the test rows, for any workload.

The workload's `evaluate.py` assembles the model and measures it with the code that serves it. This module
does what is common to all workloads: it verifies the prepared files, measures the champion on the same rows,
and writes bundle, baseline, evaluation and digests.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from common import job
from common.baseline import Baseline
from common.baseline_files import FILES, FOLDER
from common.bundle import BadArchive, serving_code, write_archive
from common.champions import Champion, compare_champion
from common.cluster import Cluster
from common.digests import ChangedFile, check, check_prepared, file_digest
from common.evaluation import Evaluation, Measurement, OnnxCheck, Values
from common.known_rows import write_known_rows
from common.model_baseline import write_model_baseline
from common.onnx_check import OnnxDiffers, export_and_check
from common.serving import UnusableModel, files_digest
from common.watching import USUAL, Sensitivity, add_sensitivity, seen_by
from common.wheels import importable
from common.workload import Workload

EVALUATION, BUNDLE, ONNX = "evaluation.json", "model.tar.gz", "model.onnx"


class BadModel(Exception):
    """The trained model cannot be evaluated; `str(error)` says why."""


def evaluate(
    workload: Workload,
    model: Path,
    prepared: Path,
    prepared_digest: str,
    output: Path,
    champion: Champion | None,
    cluster: Cluster,
    model_digest: str | None = None,
    sensitivity: Sensitivity = USUAL,
) -> str:
    """Write the bundle, the model's baseline and `evaluation.json`, and return the digest of the latter.

    Raises BadModel, and ChangedFile if `prepared` is not what preprocessing wrote or the model has another
    digest than this.
    """
    if model_digest:
        check(model, model_digest, "the trained model")
    summary = check_prepared(prepared, prepared_digest)
    output.mkdir(parents=True, exist_ok=True)
    measured, model_files, onnx = _bundle_and_measure(
        workload, model, prepared, output, cluster, sensitivity.distance
    )
    compared = compare_champion(champion, measured, workload, prepared, cluster, sensitivity)
    digests = {
        "upload": summary["upload_digest"],
        "trained_model": file_digest(model),
        "model": file_digest(output / BUNDLE),
        "model_files": model_files,
        **({"onnx": file_digest(output / ONNX)} if onnx else {}),
        **{name: file_digest(output / name) for name in FILES if (output / name).is_file()},
    }
    found = Evaluation(
        workload=workload.name,
        title=workload.title,
        metrics=measured.metrics,
        gate=workload.gate,
        baseline=measured.baseline,
        champion=compared.champion,
        champion_problem=compared.problem,
        rows=summary["rows"],
        warnings=[*summary["warnings"], *measured.warnings],
        batch_columns=measured.batch_columns,
        batch_files=_batch_files(summary["digests"]),
        digests=digests,
        figures=measured.figures,
        onnx=onnx,
        smoke_test=measured.smoke_test,
        drift=compared.drift,
    )
    print(json.dumps(found.summary()))
    return _write(output / EVALUATION, {**found.to_json(), **measured.model_quality})


def _batch_files(prepared: Iterable[str]) -> int:
    """How many of the prepared files are predicted: all of `batch/` but its manifest."""
    return sum(name.startswith("batch/") and not name.endswith(".manifest") for name in prepared)


def _bundle_and_measure(
    workload: Workload, model: Path, prepared: Path, output: Path, cluster: Cluster, distance: float
) -> tuple[Measurement, str, OnnxCheck | None]:
    """Write the bundle, the ONNX model and the baseline, if the workload has them.

    Returns what was measured, the digest of the bundle's files, and how the ONNX model compares.
    """
    steps = workload.module("evaluate")
    with tempfile.TemporaryDirectory() as folder:
        try:
            steps.assemble(model, prepared, Path(folder))
            code = serving_code(workload.name)
            measured: Measurement = steps.measure(Path(folder), prepared, cluster)
            model_files = files_digest(Path(folder), steps.MODEL_FILES, code)
            _check_gate(measured, workload)
            onnx = export_and_check(workload, Path(folder), prepared, output / ONNX, cluster)
            if workload.is_watched:
                known = Baseline.of(seen_by(workload, Path(folder), prepared))
                write_model_baseline(output, known, distance, measured, workload.gate.metric)
                shutil.copytree(output / FOLDER, Path(folder) / FOLDER)
                write_known_rows(workload, prepared, Path(folder) / FOLDER)
        except (BadArchive, UnusableModel) as error:
            raise BadModel(f"the trained model cannot be evaluated: {error}") from error
        except OnnxDiffers as error:
            raise BadModel(str(error)) from error
        write_archive(output / BUNDLE, Path(folder), code)
    return measured, model_files, onnx


def _check_gate(measured: Measurement, workload: Workload) -> None:
    name, values = workload.gate.metric, measured.gate_values
    if name not in {metric.name for metric in measured.metrics}:
        raise BadModel(f"{workload.name}/evaluate.py does not measure {name}, the gate's metric")
    value = measured.value(name)
    if values is not None and not (
        len(values) and math.isclose(_mean(values), value, rel_tol=1e-6, abs_tol=1e-9)
    ):
        raise BadModel(f"{workload.name}/evaluate.py: the mean of gate_values is not {name}, {value:g}")


def _mean(values: Values) -> float:
    return float(np.mean(values[:], dtype=np.float64))


def _write(path: Path, content: dict[str, Any]) -> str:
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return file_digest(path)


def main(workload: Workload, arguments: Sequence[str]) -> int:
    """Run the job; returns its exit code."""
    parser = argparse.ArgumentParser(prog="evaluate", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model.tar.gz of the best training job")
    parser.add_argument("--model-digest", help="digest of that file")
    parser.add_argument("--prepared", type=Path, required=True, help="folder that preprocessing wrote")
    parser.add_argument("--prepared-digest", required=True, help="digest of its summary.json")
    parser.add_argument(
        "--output", type=Path, required=True, help="folder for the bundle and evaluation.json"
    )
    parser.add_argument("--exit-message", type=Path, required=True, help="file for a digest or a failure")
    parser.add_argument("--wheels", type=Path, help="folder of wheels that the image lacks")
    parser.add_argument("--champion", type=Path, help="bundle of the newest approved model package")
    parser.add_argument("--champion-arn", help="its ARN")
    parser.add_argument("--champion-digest", help="digest of the bundle, as the package says")
    add_sensitivity(parser)
    args = parser.parse_args(arguments)
    if (args.champion is None) != (args.champion_arn is None):
        parser.error("--champion and --champion-arn belong together")
    champion = Champion(args.champion, args.champion_arn, args.champion_digest) if args.champion else None
    work = partial(
        evaluate,
        workload,
        args.model,
        args.prepared,
        args.prepared_digest,
        args.output,
        champion,
        model_digest=args.model_digest,
        sensitivity=Sensitivity.of(args),
    )
    check_host = partial(check_prepared, args.prepared, args.prepared_digest)
    with importable(args.wheels):
        return job.run(work, args.exit_message, (BadModel, ChangedFile), check_host)
