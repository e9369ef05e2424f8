"""Measures the newest approved model on the upload, and compares the upload with what that model knows."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from common import bootstrap, evaluation, watching
from common.bundle import BadArchive, read_files
from common.cluster import Cluster
from common.digests import file_digest
from common.drift import Drift, QualityChange
from common.drift_tests import compare
from common.evaluation import Comparison, Measurement
from common.model_baseline import NoBaseline, read_model_baseline
from common.quality import quality_change
from common.serving import UnusableModel
from common.watching import Sensitivity
from common.workload import Workload


@dataclass(frozen=True)
class Champion:
    """The newest approved model package. The file `archive` is missing if the state machine did not find it
    among the kept models. `digest` is the package's; None if the package was registered by hand."""

    archive: Path
    arn: str
    digest: str | None


@dataclass(frozen=True)
class Compared:
    """A champion beside the new model, or why it cannot be compared, and the upload beside its baseline."""

    champion: evaluation.Champion | None = None
    problem: str = ""
    drift: Drift | None = None


def compare_champion(
    champion: Champion | None,
    new: Measurement,
    workload: Workload,
    prepared: Path,
    cluster: Cluster,
    sensitivity: Sensitivity,
) -> Compared:
    """Measure the champion. An unusable champion is only reported: the new model may replace it."""
    if champion is None:
        return Compared()
    try:
        if not champion.archive.is_file():
            raise BadArchive("its model.tar.gz was deleted, or was never among the pipeline's kept models")
        if champion.digest and file_digest(champion.archive) != champion.digest:
            raise BadArchive("its model.tar.gz was changed after it was registered")
        return _compare(champion, new, workload, prepared, cluster, sensitivity)
    except (BadArchive, UnusableModel) as error:
        return Compared(problem=f"{champion.arn} cannot be compared: {error}")


def _compare(
    champion: Champion,
    new: Measurement,
    workload: Workload,
    prepared: Path,
    cluster: Cluster,
    sensitivity: Sensitivity,
) -> Compared:
    """Works with the champion's files and the current code; the code in its bundle never runs."""
    steps = workload.module("evaluate")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in read_files(champion.archive, set(steps.MODEL_FILES)).items():
            (folder / file).write_bytes(content)
        old: Measurement = steps.measure(folder, prepared, cluster)
        drift, change = _watch(champion, old, workload, folder, prepared, sensitivity)
    value = old.value(workload.gate.metric)
    return Compared(evaluation.Champion(champion.arn, value, _difference(new, old), change), drift=drift)


def _watch(
    champion: Champion,
    old: Measurement,
    workload: Workload,
    folder: Path,
    prepared: Path,
    sensitivity: Sensitivity,
) -> tuple[Drift, QualityChange | None]:
    """The upload and the champion's errors beside its baseline. Without a baseline, the drift says why."""
    try:
        if not workload.is_watched:
            raise NoBaseline(watching.NOT_WATCHED)
        known = read_model_baseline(champion.archive)
    except NoBaseline as reason:
        return Drift(champion.arn, 0, 0, sensitivity.significance, problem=str(reason)), None
    seen = watching.seen_by(workload, folder, prepared)
    drift = compare(known.data, seen, champion.arn, sensitivity.significance, sensitivity.distance)
    if known.quality is None or old.gate_values is None:
        return drift, None
    return drift, quality_change(known.quality, old.gate_values)


def _difference(new: Measurement, old: Measurement) -> Comparison | None:
    if new.gate_values is None or old.gate_values is None:
        return None
    return bootstrap.compare(new.gate_values, old.gate_values)
