"""The processing job that builds the model bundle and measures it on the test rows, for any workload.

The workload's `evaluate.py` assembles the model and measures it with the code that serves it. This module
does what is common to all workloads: it verifies the prepared files, measures the champion on the same rows,
and writes bundle, evaluation and digests.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from common import bootstrap, evaluation, job
from common.bundle import BadArchive, add_code, read_files, write_archive
from common.cluster import Cluster
from common.digests import ChangedFile, check, check_prepared, file_digest
from common.evaluation import Comparison, Evaluation, Measurement, OnnxCheck, Values
from common.onnx_check import OnnxDiffers, export_and_check
from common.serving import UnusableModel, files_digest
from common.wheels import importable
from common.workload import Workload

EVALUATION, BUNDLE, ONNX = "evaluation.json", "model.tar.gz", "model.onnx"


class BadModel(Exception):
    """The trained model cannot be evaluated; `str(error)` says why."""


@dataclass(frozen=True)
class Champion:
    """The newest approved model package. The file `archive` is missing if the state machine did not find it
    among the kept models. `digest` is the package's; None if the package was registered by hand."""

    archive: Path
    arn: str
    digest: str | None


def evaluate(
    workload: Workload,
    model: Path,
    prepared: Path,
    prepared_digest: str,
    output: Path,
    champion: Champion | None,
    cluster: Cluster,
    model_digest: str | None = None,
) -> str:
    """Write the bundle and `evaluation.json`, and return the digest of the latter.

    Raises BadModel, and ChangedFile if `prepared` is not what preprocessing wrote or the model has another
    digest than this.
    """
    if model_digest:
        check(model, model_digest, "the trained model")
    summary = check_prepared(prepared, prepared_digest)
    output.mkdir(parents=True, exist_ok=True)
    measured, model_files, onnx = _bundle_and_measure(workload, model, prepared, output, cluster)
    compared, problem = _compare(champion, measured, workload, prepared, cluster)
    digests = {
        "upload": summary["upload_digest"],
        "trained_model": file_digest(model),
        "model": file_digest(output / BUNDLE),
        "model_files": model_files,
        **({"onnx": file_digest(output / ONNX)} if onnx else {}),
    }
    found = Evaluation(
        workload=workload.name,
        title=workload.title,
        metrics=measured.metrics,
        gate=workload.gate,
        baseline=measured.baseline,
        champion=compared,
        champion_problem=problem,
        rows=summary["rows"],
        warnings=[*summary["warnings"], *measured.warnings],
        batch_columns=measured.batch_columns,
        batch_files=_batch_files(summary["digests"]),
        digests=digests,
        figures=measured.figures,
        onnx=onnx,
        smoke_test=measured.smoke_test,
    )
    print(json.dumps(found.summary()))
    return _write(output / EVALUATION, {**found.to_json(), **measured.model_quality})


def _batch_files(prepared: Iterable[str]) -> int:
    """How many of the prepared files are predicted: all of `batch/` but its manifest."""
    return sum(name.startswith("batch/") and not name.endswith(".manifest") for name in prepared)


def _bundle_and_measure(
    workload: Workload, model: Path, prepared: Path, output: Path, cluster: Cluster
) -> tuple[Measurement, str, OnnxCheck | None]:
    """Write the bundle and the ONNX model, if the workload has one.

    Returns what was measured, the digest of the bundle's files, and how the ONNX model compares.
    """
    steps = workload.module("evaluate")
    with tempfile.TemporaryDirectory() as folder:
        try:
            steps.assemble(model, prepared, Path(folder))
            add_code(Path(folder), workload.name)
            measured: Measurement = steps.measure(Path(folder), prepared, cluster)
            model_files = files_digest(Path(folder), steps.MODEL_FILES)
            onnx = export_and_check(workload, Path(folder), prepared, output / ONNX, cluster)
        except (BadArchive, UnusableModel) as error:
            raise BadModel(f"the trained model cannot be evaluated: {error}") from error
        except OnnxDiffers as error:
            raise BadModel(str(error)) from error
        write_archive(output / BUNDLE, Path(folder))
    _check_gate(measured, workload)
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


def _compare(
    champion: Champion | None, new: Measurement, workload: Workload, prepared: Path, cluster: Cluster
) -> tuple[evaluation.Champion | None, str]:
    """Measure the champion. An unusable champion is only reported: the new model may replace it."""
    if champion is None:
        return None, ""
    try:
        if not champion.archive.is_file():
            raise BadArchive("its model.tar.gz was deleted, or was never among the pipeline's kept models")
        if champion.digest and file_digest(champion.archive) != champion.digest:
            raise BadArchive("its model.tar.gz was changed after it was registered")
        old = _measure_champion(champion.archive, workload.module("evaluate"), prepared, cluster)
    except (BadArchive, UnusableModel) as error:
        return None, f"{champion.arn} cannot be compared: {error}"
    return evaluation.Champion(champion.arn, old.value(workload.gate.metric), _difference(new, old)), ""


def _difference(new: Measurement, old: Measurement) -> Comparison | None:
    if new.gate_values is None or old.gate_values is None:
        return None
    return bootstrap.compare(new.gate_values, old.gate_values)


def _measure_champion(archive: Path, steps: ModuleType, prepared: Path, cluster: Cluster) -> Measurement:
    """Measure the champion's files with the current code; the code in its bundle never runs."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in read_files(archive, set(steps.MODEL_FILES)).items():
            (Path(folder) / name).write_bytes(content)
        measured: Measurement = steps.measure(Path(folder), prepared, cluster)
        return measured


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
    )
    check_host = partial(check_prepared, args.prepared, args.prepared_digest)
    with importable(args.wheels):
        return job.run(work, args.exit_message, (BadModel, ChangedFile), check_host)
